"""A correction of the payer is recorded, and the usage of its span stays where it was."""

from billing.services.approvals import payer_corrections
from billing.services.approvals.payer_correction_rules import Span
from billing.services.usage import sums


def plant() -> None:
    payer_corrections._counted = _nothing


def _nothing(span: Span) -> dict[sums.SumKey, sums.Amount]:
    return {}
