"""Reviews: the state of an account that an approval rests on, its hash, and the people who edited it.

A request stores the review and its hash. A decision recomputes it, so that an account that has changed between the
review and the decision is never approved unread.
"""

import hashlib
import json
from collections.abc import Collection, Iterable
from typing import Any

from django.db.models import Model

from billing.models import ApprovalRequest, BillingAccount, Suspension
from billing.models.edits import REVIEWED, edits, standings
from milo.compiled_queries import CompiledQuery, Param
from milo.identity.makers import Acted, behind
from milo.identity.service_users import programs_of

Difference = tuple[str, Any, Any]
"""The name of a field of the review, its value as reviewed and its value now."""
_ACTED = ("history_user_id", "history_credential_maker")


def _edits_of(model: type[Model]) -> CompiledQuery[tuple[str, str]]:
    return CompiledQuery(
        lambda: edits(model, Param("account"), ApprovalRequest.objects.approved()).values_list(*_ACTED)
    )


_EDITS = [_edits_of(model) for model in REVIEWED]


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
    return _all_of(_edits(account))


def requesters(request: ApprovalRequest) -> frozenset[str]:
    """Return who made the request and who took it over, and the makers of the credentials that they used."""
    return _all_of({*_standings(request), (request.requester, request.taken_over_by)})


def masters(account: BillingAccount, request: ApprovalRequest) -> frozenset[str]:
    """Return the people whose credentials nobody may use to decide a request.

    They are its requester and owner, the editors of the account, and the makers of any service user among them. The
    maker of a person's credential is not included: one administrator may have invited everybody.
    """
    acted = {*_edits(account), *_standings(request), (request.requester, ""), (request.taken_over_by, "")}
    programs = programs_of(name for name, _maker in acted)
    return _names((name, maker if name in programs else "") for name, maker in acted)


def _all_of(acted: Collection[Acted]) -> frozenset[str]:
    return _names(acted) | behind(acted)


def _names(acted: Iterable[Acted]) -> frozenset[str]:
    return frozenset(name for pair in acted for name in pair if name)


def _edits(account: BillingAccount) -> set[tuple[str, str]]:
    return {pair for query in _EDITS for pair in query.fetch(account=account.pk)}


def _standings(request: ApprovalRequest) -> set[tuple[str, str]]:
    return set(standings(ApprovalRequest, request.pk).values_list(*_ACTED))
