"""Accounts and their payers of record, whose data are kept with one another's."""

from collections.abc import Iterator, Sequence

from django.db.models import Exists, F, OuterRef, Q

from billing.models import AccountPayer, BillingAccount, BillingAccountAffiliation
from billing.models.account_queries import BillingAccountQuerySet

_AT_ONCE = 1000
_OTHERS = AccountPayer.objects.exclude(payer=F("account"))


def with_relations(accounts: BillingAccountQuerySet) -> BillingAccountQuerySet:
    """Annotate accounts with `has_payers`: another ever was their payer of record, or they that of another."""
    rows = _OTHERS.filter(Q(account=OuterRef("pk")) | Q(payer=OuterRef("pk")))
    return accounts.annotate(has_payers=Exists(rows))


def payer_countries(account: BillingAccount) -> list[str]:
    """Return the countries of those who ever were payers of record of an account, without itself."""
    if not getattr(account, "has_payers", True):
        return []
    payers = _OTHERS.filter(account=account).values("payer")
    countries = BillingAccount.objects.filter(pk__in=payers).exclude(country="")
    return sorted(set(countries.values_list("country", flat=True)))


def paid_through(account: BillingAccount) -> BillingAccount | None:
    """Return an account that another pays for by way of `account`, and that is not archived; None if there is none.

    The archival of `account` ends its affiliation: from the next month it would be payer of record itself.
    """
    if account.paid_by_id is None:
        return None
    relations = BillingAccountAffiliation.objects.active().filter(parent=account, payer="Parent")
    accounts = BillingAccount.objects.filter(pk__in=relations.values("account"))
    return accounts.exclude(phase=BillingAccount.Phase.ARCHIVED).order_by("pk").first()


def paid_for(account: BillingAccount) -> Iterator[BillingAccount]:
    """Yield each account that `account` ever was payer of record of, and those that these were, not purged yet.

    So the last of a chain of payers is kept for the first account of it.
    """
    if not getattr(account, "has_payers", True):
        return
    seen, payers = {account.pk}, [account.pk]
    while payers:
        payers = sorted(_paid_by(payers) - seen)
        seen.update(payers)
        for start in range(0, len(payers), _AT_ONCE):
            part = BillingAccount.objects.filter(pk__in=payers[start : start + _AT_ONCE], pseudonymised_on=None)
            yield from part.prefetch_related("holds").order_by("pk")


def _paid_by(payers: Sequence[int]) -> set[int]:
    found: set[int] = set()
    for start in range(0, len(payers), _AT_ONCE):
        rows = _OTHERS.filter(payer__in=payers[start : start + _AT_ONCE])
        found.update(rows.values_list("account", flat=True))
    return found
