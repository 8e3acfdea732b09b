"""What an approver looks at: the account as it stands, so that nothing changes between the look and the decision."""

import hashlib
import json
from collections.abc import Collection, Iterable
from typing import Any

from billing.models import ApprovalRequest, BillingAccount, Suspension
from billing.models.edits import REVIEWED, edits, standings
from milo.identity.makers import Acted, behind
from milo.identity.service_users import programs_of

_ACTED = ("history_user_id", "history_credential_maker")


def reviewed(account: BillingAccount) -> dict[str, Any]:
    """All of an account that an approval rests on, as JSON."""
    suspensions = Suspension.objects.filter(account=account).order_by("pk")
    return {
        "phase": account.phase,
        "generation": account.generation,
        "displayName": account.display_name,
        "currencyCode": account.currency_code,
        "netDays": account.net_days,
        "invoiceFrequency": account.invoice_frequency,
        "invoiceDayOfMonth": account.invoice_day_of_month,
        **account.payment_terms.as_json(),
        "preferences": account.preferences.as_json(),
        "paymentProfile": account.payment_profile,
        "invoiceEmailAddresses": account.invoice_email_addresses,
        "suspensions": [
            {"uid": str(found.uid), "reasonCode": found.reason_code, "evidence": found.evidence}
            for found in suspensions
        ],
    }


def hash_of(review: dict[str, Any]) -> str:
    """SHA-256, hexadecimal, of the review as JSON with sorted keys."""
    return hashlib.sha256(json.dumps(review, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def difference(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Each field that differs: its name, the value as reviewed, the value now."""
    return [
        (name, before.get(name), after.get(name))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]


def editors(account: BillingAccount) -> frozenset[str]:
    """Return everybody who changed what an approval of this account rests on since its last approval.

    That are the columns that `reviewed` reads; labels, annotations and what the platform does by itself change none.
    Who stands behind the credential by which another changed it is one of them.
    """
    return _all_of(_edits(account))


def requesters(request: ApprovalRequest) -> frozenset[str]:
    """Return who asked for a request and took it over, and who stands behind the credentials by which they did."""
    return _all_of({*_standings(request), (request.requester, request.taken_over_by)})


def masters(account: BillingAccount, request: ApprovalRequest) -> frozenset[str]:
    """Return those by whose credentials nobody decides: who asks, who has edited, and the makers of their programs.

    The maker of a person's credential is none: one administrator may have invited everybody.
    """
    acted = {*_edits(account), *_standings(request), (request.requester, ""), (request.taken_over_by, "")}
    programs = programs_of(name for name, _maker in acted)
    return _names((name, maker if name in programs else "") for name, maker in acted)


def _all_of(acted: Collection[Acted]) -> frozenset[str]:
    return _names(acted) | behind(acted)


def _names(acted: Iterable[Acted]) -> frozenset[str]:
    return frozenset(name for pair in acted for name in pair if name)


def _edits(account: BillingAccount) -> set[tuple[str, str]]:
    approved = ApprovalRequest.objects.approved()
    rows = (edits(model, account.pk, approved) for model in REVIEWED)
    return {pair for found in rows for pair in found.values_list(*_ACTED)}


def _standings(request: ApprovalRequest) -> set[tuple[str, str]]:
    return set(standings(ApprovalRequest, request.pk).values_list(*_ACTED))
