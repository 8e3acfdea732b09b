"""The changes that an approval request proposes, worded for the staff site."""

from typing import Any

from django.utils.text import Truncator
from django.utils.translation import gettext as _

from billing.admin.wording import label, readable
from billing.models import ApprovalRequest, Hold
from billing.services import holds
from billing.terms.payment_terms import FIELDS

_TERMS = (*FIELDS, "earlyPaymentDiscount", "latePaymentPenalty")
_SUMMARY_LENGTH = 120

Field = tuple[str, Any, Any]
"""The name of a field, its value as reviewed and the one proposed."""


def proposed(request: ApprovalRequest) -> list[Field]:
    """Return each field that the request proposes to change.

    Terms are replaced as a whole, so that a discount or penalty left out ends; the anchor month is kept.
    A request for the release of a hold that was reviewed without the hold shows the hold as it is now.
    """
    if request.act == ApprovalRequest.Action.RELEASE_HOLD:
        review = request.reviewed if "hold" in request.reviewed else holds.shows(request.account, request)
        return _release(review, holds.note_of(request.account, request))
    if request.act == ApprovalRequest.Action.REDATE_BINDINGS:
        return _redating(request.reviewed)
    terms = request.proposal.get("paymentTerms")
    if not isinstance(terms, dict):
        return [(name, request.reviewed.get(name), value) for name, value in request.proposal.items()]
    ends = request.reviewed.keys() - {"anchorMonth"}
    return [(name, request.reviewed.get(name), terms.get(name)) for name in _TERMS if name in terms or name in ends]


def _release(review: dict[str, Any], note: str = "") -> list[Field]:
    hold = review.get("hold")
    if not hold:
        return []
    words = (str(Hold.Type(hold["type"]).label), hold.get("message"), note)
    return [("hold", ": ".join(filter(None, words)), _("released"))]


def _redating(review: dict[str, Any]) -> list[Field]:
    bindings = [f"{it['name']} ({it['establishedAt']} - {it['endedAt'] or ''})" for it in review.get("bindings", [])]
    return [("bindings", bindings, _("from and until the instant of the approval, where in the future"))]


def change(request: ApprovalRequest) -> list[str]:
    """Return a line for each value that the request proposes to change, such as `Net days: 30 → 90`."""
    return _lines(proposed(request))


def summary(request: ApprovalRequest) -> str:
    """Return what the request proposes on one line of a list, shortened, without a query."""
    if request.act == ApprovalRequest.Action.RELEASE_HOLD:
        return _shortened(_lines(_release(request.reviewed)))
    return _shortened(change(request))


def _lines(fields: list[Field]) -> list[str]:
    return [
        f"{label(name)}: {readable(before)} \N{RIGHTWARDS ARROW} {readable(after)}"
        for name, before, after in fields
        if before != after
    ]


def _shortened(texts: list[str]) -> str:
    return Truncator("; ".join(texts)).chars(_SUMMARY_LENGTH) or "-"
