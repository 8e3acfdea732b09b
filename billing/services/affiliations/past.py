"""The past of accounts under accounts: payers of record as the ledger knew them at an instant, or over a span."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import F

from billing.models import AccountPayer, BillingAccount, BillingAccountAffiliation
from billing.models.account_queries import OF_PAYER
from billing.models.affiliation import payer_of_record
from billing.models.usage_partitions import next_month
from billing.services import past
from billing.services.affiliations.trees import Tree
from milo.dates import first_of_month


def payer_as_known(account: BillingAccount, at: datetime, known_at: datetime | None = None) -> BillingAccount:
    """Return who is invoiced for the usage of `account` at the instant `at`, as the ledger knew it at `known_at`.

    Both are UTC. Without `known_at` it is as the ledger knows it now.
    """
    if known_at is None:
        return payer_of_record(account, at.date())
    payer_id = Tree.of(account.organization_id, first_of_month(at), known_at=known_at).payer(account.pk)
    return account if payer_id == account.pk else BillingAccount.objects.get(pk=payer_id)


@dataclass(frozen=True, slots=True)
class Months:
    """The account `payer` is invoiced from the month `start` up to, not including, `until` (first days)."""

    payer: str
    start: date
    until: date | None


def others_over(accounts: Collection[int]) -> dict[int, list[Months]]:
    """Return in which months others were payers of record of `accounts` (primary keys), oldest first."""
    rows = AccountPayer.objects.filter(account__in=accounts).exclude(payer=F("account")).order_by("from_month")
    spans: dict[int, list[Months]] = {}
    for account_id, payer, start, until in rows.values_list("account", "payer__name", "from_month", "until_month"):
        spans.setdefault(account_id, []).append(Months(payer, start, until))
    return spans


def clipped(spans: Iterable[Months], start: datetime, end: datetime | None) -> list[Months]:
    """Return the parts of `spans` in the months (UTC) of the time from `start` up to, not including, `end`."""
    first = first_of_month(start)
    last = None if end is None else next_month(first_of_month(end - timedelta(microseconds=1)))
    parts = [
        Months(each.payer, max(each.start, first), min(filter(None, (each.until, last)), default=None))
        for each in spans
    ]
    return [each for each in parts if each.until is None or each.start < each.until]


def as_of(account: BillingAccount, at: datetime) -> BillingAccount | None:
    """Return the unsaved account as it was at the instant `at` (UTC), None if it was not open yet.

    It is annotated with its place in the month of `at`, as known then, as `with_hierarchy` does those of the present.
    """
    row: Any = past.as_of(account, at)
    if row is None:
        return None
    tree = Tree.of(account.organization_id, first_of_month(at), known_at=at)
    above, payer_id, below = tree.above(row.pk), tree.payer(row.pk), tree.children.get(row.pk, ())
    accounts = BillingAccount.objects.in_bulk({*above[:1], payer_id} - {row.pk}) if above else {}
    payer = accounts.get(payer_id)
    row.parent_name = accounts[above[0]].name if above else None
    row.accounts_above, row.sub_accounts_count = len(above), len(below)
    # in the phase that it had then
    row.paid_by = past.as_of(payer, at) if payer else None
    for column in OF_PAYER:
        setattr(row, f"payer_{column}", getattr(row.paid_by, column, None))
    relations = BillingAccountAffiliation.objects.filter(account=row.pk, activated_at__lte=at).order_by("-activated_at")
    row.affiliated_at = relations.values_list("activated_at", flat=True).first() if above else None
    account_as_of: BillingAccount = row
    return account_as_of
