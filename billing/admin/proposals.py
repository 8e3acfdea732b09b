"""The changes that an approval request proposes, worded for the staff site."""

from collections.abc import Callable, Mapping
from datetime import time
from typing import Any

from django.utils.text import Truncator
from django.utils.translation import gettext as _

from billing.admin.wording import label, readable
from billing.models import ApprovalRequest, BillingAccount, BillingAccountAffiliation, Hold
from billing.reason_codes import ReasonCode
from billing.services import holds
from billing.services.usage.assignments import proposed_instant
from billing.terms.payment_terms import FIELDS
from milo.admin.panels import day_text, moment, month_text, number_text

_TERMS = (*FIELDS, "earlyPaymentDiscount", "latePaymentPenalty")
_SUMMARY_LENGTH = 120
Action, Phase = ApprovalRequest.Action, BillingAccount.Phase

Field = tuple[str, Any, Any]
"""The label of a field, its value as reviewed and the one proposed."""


def proposed(request: ApprovalRequest) -> list[Field]:
    """Return each value that the request changes, with the value as reviewed; what stays is left out.

    A request for the release of a hold that was reviewed without the hold shows the hold as it is now.
    """
    if request.act == Action.RELEASE_HOLD:
        review = request.reviewed if "hold" in request.reviewed else holds.shows(request.account, request)
        return _release(review, holds.note_of(request.account, request))
    return _from_review(request)


def change(request: ApprovalRequest) -> list[str]:
    """Return a line for each value that the request changes, such as `Net days: 30 → 90`."""
    return _lines(proposed(request))


def summary(request: ApprovalRequest) -> str:
    """Return what the request changes on one line of a list, shortened, without a query."""
    fields = _release(request.reviewed) if request.act == Action.RELEASE_HOLD else _from_review(request)
    return Truncator("; ".join(_lines(fields))).chars(_SUMMARY_LENGTH) or "-"


def reviewed_on_lines(name: str, value: Any) -> list[str]:
    """Return a value of a review as lines; suspensions by their reason and evidence, not by uid."""
    if name == "suspensions" and isinstance(value, list):
        return [_suspension(each) for each in value] or ["-"]
    if name == "bindings" and isinstance(value, list):
        return [f"{it['name']} ({it['billingAccount']}): {_span(it)}" for it in value] or ["-"]
    if value and isinstance(value, dict):
        return [readable({field: inner}) for field, inner in sorted(value.items())]
    return [readable(each) for each in value] if value and isinstance(value, list) else [readable(value)]


def at_words(value: Any) -> str:
    """Return an instant of a manifest or proposal for people: the day alone where it is its first instant."""
    at = proposed_instant(value)
    if at is None:
        return str(value or "")
    return day_text(at.date()) if at.time() == time() else moment(at)


def _suspension(suspension: dict[str, Any]) -> str:
    reason, evidence = ReasonCode(suspension["reasonCode"]).label, suspension.get("evidence")
    return f"{reason}: {readable(evidence)}" if evidence else str(reason)


def _from_review(request: ApprovalRequest) -> list[Field]:
    return [field for field in _WORDED[request.act](request) if field[1] != field[2]]


def _phase(phase: str) -> str:
    return str(Phase(phase).label) if phase in Phase.values else phase


def _to(phase: Callable[[ApprovalRequest], str]) -> Callable[[ApprovalRequest], list[Field]]:
    return lambda request: [(label("phase"), _phase(request.reviewed.get("phase", "")), _phase(phase(request)))]


def _terms(request: ApprovalRequest) -> list[Field]:
    """Return the fields of the terms. They are replaced as a whole, so that a discount or penalty left out ends.

    The anchor month is kept.
    """
    terms = request.proposal.get("paymentTerms") or {}
    ends = request.reviewed.keys() - {"anchorMonth"}
    return [
        (label(name), request.reviewed.get(name), terms.get(name)) for name in _TERMS if name in terms or name in ends
    ]


def _release(review: dict[str, Any], note: str = "") -> list[Field]:
    hold = review.get("hold")
    if not hold:
        return []
    words = (str(Hold.Type(hold["type"]).label), hold.get("message"), note)
    return [(label("hold"), ": ".join(filter(None, words)), _("released"))]


def _assignment(request: ApprovalRequest) -> list[Field]:
    names = {name: at_words(request.proposal.get(name)) for name in ("since", "until")}
    payer = _("Payer of the usage of project %(project)s, %(since)s - %(until)s")
    return [(payer % {**names, "project": request.proposal.get("project")}, _("nobody"), request.account.name)]


def _correction(request: ApprovalRequest) -> list[Field]:
    until = request.proposal.get("until")
    names = {
        "project": request.proposal.get("project"),
        "since": at_words(request.proposal.get("since")),
        "until": at_words(until) if until else _("now, and from now on"),
    }
    payers = dict.fromkeys(each["account"] or _("nobody") for each in request.reviewed.get("payers", []))
    payer = _("Payer of project %(project)s, %(since)s - %(until)s")
    return [(payer % names, ", ".join(payers), request.account.name)]


def _moving(request: ApprovalRequest) -> list[Field]:
    """Return who pays for the projects now, and who will from when on; the review lists the projects."""
    spec, review = request.proposal["payerChange"], request.reviewed
    payers = [f"{each['account']} ({each['projects']})" for each in review["payers"]]
    payers += [f"{_('nobody')} ({review['unbound']})"] if review["unbound"] else []
    at = at_words(spec["effectiveAt"]) if "effectiveAt" in spec else _("the instant of the approval")
    payer = _("Payer of %(number)s projects") % {"number": number_text(len(review["projects"]))}
    return [(payer, ", ".join(payers), _("%(account)s, from %(at)s on") % {"account": request.account.name, "at": at})]


def _redating(request: ApprovalRequest) -> list[Field]:
    return [
        (
            _("Binding %(name)s of %(account)s") % {"name": it["name"], "account": it["billingAccount"]},
            _span(it),
            _("at the instant of the approval, where in the future"),
        )
        for it in request.reviewed.get("bindings", [])
    ]


def _span(binding: dict[str, Any]) -> str:
    return f"{at_words(binding['establishedAt'])} - {at_words(binding['endedAt'])}".rstrip()


def _affiliation(request: ApprovalRequest) -> list[Field]:
    """Return who is invoiced for each account before and after, in which months, and the plan that is cancelled."""
    invoiced = _("Payer of record of %(name)s %(months)s")
    fields: list[Field] = [
        (
            invoiced % {"name": each["name"], "months": months(each, request.reviewed)},
            each["before"]["payerOfRecord"],
            each["after"]["payerOfRecord"],
        )
        for each in request.reviewed.get("accounts", [])
    ]
    if plan := request.reviewed.get("affiliation", {}).get("cancels"):
        name = _("Plan %(name)s (%(parent)s, from %(month)s on)")
        names = {"name": plan["name"], "parent": plan["parent"] or "-", "month": month_text(plan["effectiveFrom"])}
        phases = BillingAccountAffiliation.Phase
        fields.append((name % names, str(phases.SCHEDULED.label), str(phases.CANCELLED.label)))
    return fields


def months(entry: dict[str, Any], review: dict[str, Any]) -> str:
    """Return in which months an account of an affiliation's review has another payer of record."""
    names = {"month": month_text(entry.get("from", review.get("affiliation", {}).get("effectiveFrom", "")))}
    names["until"] = month_text(entry.get("until", ""))
    return (_("from %(month)s until %(until)s") if "until" in entry else _("from %(month)s on")) % names


_WORDED: Mapping[str, Callable[[ApprovalRequest], list[Field]]] = {
    Action.REACTIVATE: _to(lambda _request: Phase.READY),
    Action.CLOSE: _to(lambda _request: Phase.CLOSED),
    Action.REOPEN: _to(lambda request: request.account.closed_from or _("as before it was closed")),
    Action.REVISE_TERMS: _terms,
    Action.ASSIGN_USAGE: _assignment,
    Action.REDATE_BINDINGS: _redating,
    Action.CORRECT_PAYER: _correction,
    Action.AFFILIATE: _affiliation,
    Action.MOVE_PAYERS: _moving,
}


def _lines(fields: list[Field]) -> list[str]:
    return [f"{name}: {readable(before)} \N{RIGHTWARDS ARROW} {readable(after)}" for name, before, after in fields]
