"""An affiliation becomes a fact, and the payers of record of the account and of all below it stay."""

from billing.services.affiliations import payers


def plant() -> None:
    payers.rewrite = _nothing


def _nothing(organization_id: int) -> dict[int, int]:
    return {}
