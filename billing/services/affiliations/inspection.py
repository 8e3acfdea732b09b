"""Inspect accounts under accounts: the months of each account meet, and each payer of record was one.

The second look is at the rows themselves, and not by the code that derives them from the affiliations.
"""

from collections.abc import Iterator
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, Window
from django.db.models.functions import Lead

from billing.models import AccountPayer, BillingAccountAffiliation
from billing.services.affiliations import payers
from milo.ledger import inspections
from projects.models import Organization


def inspect() -> int:
    """Look at everything, record the result as that of the check `hierarchy`, and return how many faults there are."""
    found = list(breaks())
    inspections.record("hierarchy", len(found), "; ".join(found[:3]))
    return len(found)


def breaks() -> Iterator[str]:
    """Yield every fault of the affiliations and of what follows from them, for people."""
    following: dict[str, Any] = {"partition_by": F("account_id"), "order_by": ["effective_from", "pk"]}
    rows = BillingAccountAffiliation.objects.facts().annotate(after=Window(Lead("effective_from"), **following))
    # an account that is archived has none after its last
    apart = rows.filter(after__isnull=False).filter(Q(ended_from=None) | ~Q(ended_from=F("after")))
    for organization, name, until, after in apart.values_list("organization__name", "name", "ended_from", "after"):
        ends = f"ends before {until:%Y-%m}" if until else "does not end"
        yield f"{organization}: affiliation {name} {ends}, and the next of its account begins in {after:%Y-%m}"
    yield from _no_payers()
    for organization_id, name in Organization.objects.order_by("pk").values_list("pk", "name").iterator():
        for difference in payers.differences(organization_id):
            yield f"{name}: {difference}"


def _no_payers() -> Iterator[str]:
    """Yield the payers of record that could not be one: not Ready ever, of another currency, or paid by another."""
    rows = AccountPayer.objects.exclude(payer=F("account")).order_by("pk")
    names = ("account__organization__name", "account__name", "payer__name")
    for organization, account, payer in rows.filter(payer__first_ready_at=None).values_list(*names):
        yield f"{organization}: {payer}, payer of record of {account}, never was Ready"
    strangers = rows.exclude(payer__currency_code=F("account__currency_code"))
    for organization, account, payer in strangers.values_list(*names):
        yield f"{organization}: account {account} has another currency than its payer of record {payer}"
    meanwhile = AccountPayer.objects.filter(
        Q(until_month=None) | Q(until_month__gt=OuterRef("from_month")), account=OuterRef("payer")
    ).exclude(payer=F("account"))
    begun = Q(until_month=None) | Exists(meanwhile.filter(from_month__lt=OuterRef("until_month")))
    for organization, account, payer in rows.filter(Exists(meanwhile), begun).values_list(*names):
        yield f"{organization}: {payer}, payer of record of {account}, was paid for by another then"
