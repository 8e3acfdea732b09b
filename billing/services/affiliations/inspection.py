"""Inspect accounts under accounts: the months of each account meet, and each payer of record was one."""

from collections.abc import Iterator
from typing import Any

from django.db.models import F, Q, Window
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
    strangers = AccountPayer.objects.exclude(payer=F("account")).exclude(
        payer__currency_code=F("account__currency_code")
    )
    for account, payer in strangers.values_list("account__name", "payer__name"):
        yield f"account {account} has another currency than its payer of record {payer}"
    for organization_id, name in Organization.objects.order_by("pk").values_list("pk", "name").iterator():
        for difference in payers.differences(organization_id):
            yield f"{name}: {difference}"
