"""Inspect accounts under accounts: the months of each account meet, and each payer of record was one.

The second look is at the rows themselves, and not by the code that derives them from the affiliations.
"""

from collections.abc import Iterator
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, Window
from django.db.models.functions import Lead

from billing.models import AccountPayer, BillingAccountAffiliation
from billing.services.affiliations import payers
from billing.services.affiliations.specs import present_month
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
    yield from _no_ends()
    yield from _out_of_time()
    yield from _no_payers()
    for organization_id, name in Organization.objects.order_by("pk").values_list("pk", "name").iterator():
        for difference in payers.differences(organization_id):
            yield f"{name}: {difference}"


def _no_ends() -> Iterator[str]:
    """Yield the relations that ended, but neither for another nor with their account."""
    phases = BillingAccountAffiliation.Phase
    names = ("organization__name", "name")
    unfollowed = BillingAccountAffiliation.objects.filter(phase=phases.SUPERSEDED, superseded_by=None)
    for organization, name in unfollowed.order_by("pk").values_list(*names):
        yield f"{organization}: affiliation {name} is Superseded, and no other took over"
    ended = BillingAccountAffiliation.objects.filter(phase=phases.ENDED).exclude(account__phase="Archived")
    for organization, name, account in ended.order_by("pk").values_list(*names, "account__name"):
        yield f"{organization}: affiliation {name} is Ended, and {account} is not archived"


def _out_of_time() -> Iterator[str]:
    """Yield the relations that were planned or facts at another time than they could be, and what followed early."""
    columns = ("organization__name", "name", "effective_from", "created_at", "activated_at")
    rows = BillingAccountAffiliation.objects.order_by("pk").values_list(*columns)
    for organization, name, start, created_at, activated_at in rows.iterator():
        if created_at.date().replace(day=1) > start:
            yield f"{organization}: affiliation {name} was planned after its first month"
        if activated_at and activated_at.date() < start:
            yield f"{organization}: affiliation {name} was a fact before its first month"
    # an archived account pays itself at once, and its payer the rest of the month
    early = AccountPayer.objects.filter(until_month=None, from_month__gt=present_month()).exclude(
        account__phase="Archived"
    )
    names = ("account__organization__name", "account__name", "payer__name", "from_month")
    for organization, account, payer, start in early.order_by("pk").values_list(*names):
        yield f"{organization}: {account} is paid by {payer}, which is payer of record from {start:%Y-%m} on"


def _no_payers() -> Iterator[str]:
    """Yield the payers of record that could not be one.

    Never Ready, archived before its first month, of another currency, or paid for by another.
    """
    rows = AccountPayer.objects.exclude(payer=F("account")).order_by("pk")
    names = ("account__organization__name", "account__name", "payer__name")
    for organization, account, payer in rows.filter(payer__first_ready_at=None).values_list(*names):
        yield f"{organization}: {payer}, payer of record of {account}, never was Ready"
    archived = rows.filter(payer__archived_at__isnull=False)
    for organization, account, payer, start, at in archived.values_list(*names, "from_month", "payer__archived_at"):
        if at.date() < start:
            yield f"{organization}: {payer}, payer of record of {account} from {start:%Y-%m} on, was Archived by then"
    strangers = rows.exclude(payer__currency_code=F("account__currency_code"))
    for organization, account, payer in strangers.values_list(*names):
        yield f"{organization}: account {account} has another currency than its payer of record {payer}"
    meanwhile = AccountPayer.objects.filter(
        Q(until_month=None) | Q(until_month__gt=OuterRef("from_month")), account=OuterRef("payer")
    ).exclude(payer=F("account"))
    begun = Q(until_month=None) | Exists(meanwhile.filter(from_month__lt=OuterRef("until_month")))
    for organization, account, payer in rows.filter(Exists(meanwhile), begun).values_list(*names):
        yield f"{organization}: {payer}, payer of record of {account}, was paid for by another then"
