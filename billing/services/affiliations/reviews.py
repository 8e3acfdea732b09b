"""What approved requests say of payers of record: a plan takes effect only as somebody has seen it.

The plan above it that a reviewer counted on may be cancelled, or fail.
"""

from collections.abc import Mapping
from uuid import UUID

from django.db.models import Q

from billing.models import ApprovalRequest, BillingAccountAffiliation


def unseen(affiliation: BillingAccountAffiliation, approval: UUID, payers: Mapping[str, str]) -> list[str]:
    """Return those accounts of `payers` (names, each with who would be invoiced) of which no approved review says so.

    The reviews are that of the plan, whose request is `approval`, and those that were approved since. One that does not
    name all of its accounts speaks for the others by the payers that it names.
    """
    requests = ApprovalRequest.objects.filter(
        Q(uid=approval) | Q(decided_at__gte=affiliation.created_at),
        organization=affiliation.organization_id,
        act=ApprovalRequest.Action.AFFILIATE,
        phase=ApprovalRequest.Phase.APPROVED,
    )
    month = f"{affiliation.effective_from:%Y-%m}"
    seen: set[tuple[str, str]] = set()
    by_others: set[str] = set()
    for review in requests.values_list("reviewed", flat=True):
        begins, accounts = review["affiliation"]["effectiveFrom"], review["accounts"]
        entries = [each for each in accounts if each.get("from", begins) <= month < each.get("until", "9999-12")]
        seen.update((each["name"], each["after"]["payerOfRecord"]) for each in entries)
        if review["accountsCount"] > len({each["name"] for each in accounts}):
            by_others.update(each["after"]["payerOfRecord"] for each in entries)
    return [name for name, payer in payers.items() if (name, payer) not in seen and payer not in by_others]
