"""Reviews: the state of an account that an approval rests on, its hash, and the people who edited it.

A request stores the review and its hash. A decision recomputes it, so that an account that has changed between the
review and the decision is never approved unread.
"""

import hashlib
import json
from collections.abc import Collection, Iterable
from typing import Any

from django.db.models import QuerySet

from billing.models import ApprovalRequest, BillingAccount, Suspension
from billing.models.edits import REVIEWED, edits, standings
from milo.compiled_queries import CompiledQuery, Param
from milo.identity.makers import Acted, behind

Difference = tuple[str, Any, Any]
"""The name of a field of the review, its value as reviewed and its value now."""
_ACTED = ("history_user_id", "history_credential_maker")


def _edits() -> "QuerySet[Any, Acted]":
    approved = ApprovalRequest.objects.approved()
    one, *others = (edits(model, Param("account"), approved).order_by().values_list(*_ACTED) for model in REVIEWED)
    return one.union(*others)


_EDITS: CompiledQuery[Acted] = CompiledQuery(_edits)


def reviewed(account: BillingAccount) -> dict[str, Any]:
    """Return the fields of an account that an approval rests on, as JSON."""
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
            {"uid": str(each.uid), "reasonCode": each.reason_code, "evidence": each.evidence} for each in suspensions
        ],
    }


def hash_of(review: dict[str, Any]) -> str:
    """Return the SHA-256 (hexadecimal) of the review as JSON with sorted keys and no blanks."""
    return hashlib.sha256(_canonical(review).encode()).hexdigest()


def changes_since(request: ApprovalRequest, review: dict[str, Any]) -> list[Difference]:
    """Return what differs between the review that `request` stores and `review`, the present one.

    The list is empty if and only if the request is not stale: the service refuses by it, and the staff site shows it.
    """
    if hash_of(review) == request.reviewed_hash:
        return []
    stored = ("reviewedHash", request.reviewed_hash, hash_of(review))
    return difference(request.reviewed, review) or [stored]


def difference(before: dict[str, Any], after: dict[str, Any]) -> list[Difference]:
    """Return each field that differs: its name, its value in `before`, its value in `after`; None where it is absent.

    Fields are compared as `hash_of` reads them, so a field that is absent differs from one without a value.
    """
    return [
        (name, before.get(name), after.get(name))
        for name in sorted({*before, *after})
        if _field(before, name) != _field(after, name)
    ]


def _field(review: dict[str, Any], name: str) -> str:
    return _canonical(review[name]) if name in review else ""


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def editors(account: BillingAccount) -> frozenset[str]:
    """Return the actors who changed a reviewed column of the account since its last approval.

    Reviewed columns are those that `reviewed` reads, not labels or annotations. Changes by the platform itself do not
    count. The maker of the credential that an editor used is an editor too.
    """
    return everybody(edits_of(account))


def edits_of(account: BillingAccount) -> frozenset[Acted]:
    """Return by whom and with whose credential `editors` changed the account. One query."""
    return frozenset(_EDITS.fetch(account=account.pk))


def standings_of(request: ApprovalRequest) -> frozenset[Acted]:
    """Return by whom and with whose credential the request was made, renewed and taken over. One query."""
    rows = standings(ApprovalRequest, request.pk).values_list(*_ACTED)
    return frozenset({*rows, (request.requester, request.taken_over_by), (request.taken_over_by, "")})


def everybody(acted: Collection[Acted]) -> frozenset[str]:
    """Return who acted, and the makers of the credentials that they used."""
    return _names(acted) | behind(acted)


def masters(acted: Collection[Acted], programs: Collection[str]) -> frozenset[str]:
    """Return the people whose credentials nobody may use to decide what those in `acted` asked for or changed.

    They are who acted, and the makers of the `programs` among them, names of service users. The maker of a person's
    credential is not included: one administrator may have invited everybody.
    """
    return _names((name, maker if name in programs else "") for name, maker in acted)


def _names(acted: Iterable[Acted]) -> frozenset[str]:
    return frozenset(name for pair in acted for name in pair if name)
