"""What a request to put an account under another is about: before it is sent, and on its page."""

from collections.abc import Collection
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from billing.admin.binding_filters import AFFILIATION
from billing.admin.proposals import change, months
from billing.admin.wording import and_more, label, on_lines, quantity
from billing.models import ApprovalRequest, BillingAccount, BillingAccountBinding
from billing.services.approvals import affiliations
from milo.admin.actions import Facts
from milo.admin.panels import Panel, lines, link, list_address
from projects.models import Project


def preview_facts(request: ApprovalRequest, *, needed: bool) -> Facts:
    """Return what `request`, which is not written, would say; `needed` is whether a second person must approve."""
    request.reviewed = affiliations.shows(request.account, request)
    review = request.reviewed
    approval = _("A second person must approve it; it takes no effect before.") if needed else _("not needed")
    if not review["accounts"]:
        nothing = _("No account gets another payer of record.")
        return [(_("What changes"), lines([nothing, *change(request)])), (_("Approval"), approval)]
    return [
        (_("What changes"), lines(change(request))),
        (_("Who answers for what"), lines(_answers(review))),
        (_("Currency, terms and payment method"), lines(_invoiced_by(review))),
        (_("Projects"), lines([each["name"] for each in review["projects"]] + _more_projects(review))),
        (_("Usage of the last full month"), lines(_usage(review))),
        (_("Approval"), approval),
    ]


def affiliation_panels(request: ApprovalRequest) -> list[Panel]:
    """Return the accounts whose payer of record changes, and their usage of the last full month."""
    review = request.reviewed
    rows = [
        [
            each["name"],
            months(each, review),
            each["before"]["payerOfRecord"],
            each["after"]["payerOfRecord"],
            lines([_invoiced(each["before"]), f"\N{RIGHTWARDS ARROW} {_invoiced(each['after'])}"]),
        ]
        for each in review.get("accounts", [])
    ]
    if left := _unlisted(review):
        rows.append([and_more(left), "", "", "", ""])
    return [
        Panel(
            _("Who is invoiced"),
            [_("Billing account"), _("Months"), _("Before"), _("After"), _("Currency, terms and payment method")],
            rows,
            more=_accounts_below(request) if left else "",
        ),
        _projects(request),
        Panel(
            _("Usage of the last full month"),
            [_("Service"), _("Meter"), _("Quantity")],
            [[each["service"], each["meter"], _amount(each)] for each in review.get("usageOfLastMonth", [])],
        ),
    ]


def _projects(request: ApprovalRequest) -> Panel:
    """Return the projects as reviewed, with the list of all that the accounts pay for now."""
    review, organization_id = request.reviewed, request.organization_id
    listed, rest = review.get("projects", []), _more_projects(review)
    names = {each["name"] for each in listed}
    projects = {row.name: row for row in Project.objects.filter(organization=organization_id, name__in=names)}
    accounts = _rows_of(organization_id, {each["account"] for each in listed})
    rows = [[link(projects[each["name"]]), link(accounts[each["account"]])] for each in listed]
    every = {AFFILIATION: request.pk, "phase__exact": "Active"}
    more = list_address(BillingAccountBinding, **every) if rest else ""
    return Panel(_("Projects"), [_("Project"), _("Billing account")], rows + [[each, ""] for each in rest], more=more)


def _rows_of(organization_id: int, names: Collection[str]) -> dict[str, BillingAccount]:
    rows = BillingAccount.objects.filter(organization=organization_id, name__in=names)
    return {row.name: row for row in rows}


def _accounts_below(request: ApprovalRequest) -> str:
    page = reverse("admin:billing_billingaccount_hierarchy", args=[request.account_id])
    return f"{page}?at={request.reviewed['affiliation']['effectiveFrom']}"


def _more_projects(review: dict[str, Any]) -> list[str]:
    left = int(review.get("projectsCount", 0)) - len(review.get("projects", []))
    return [and_more(left)] if left else []


def _unlisted(review: dict[str, Any]) -> int:
    names = {each["name"] for each in review.get("accounts", [])}
    return int(review.get("accountsCount", 0)) - len(names)


def _answers(review: dict[str, Any]) -> list[str]:
    """Return a sentence for each account that becomes payer of record of others, or of itself again."""
    payers: dict[tuple[str, str], list[str]] = {}
    for each in review["accounts"]:
        payers.setdefault((each["after"]["payerOfRecord"], months(each, review)), []).append(each["name"])
    text = _("%(payer)s is invoiced for the usage of %(accounts)s, %(months)s")
    sentences = [
        text % {"payer": payer, "accounts": ", ".join(names), "months": span} for (payer, span), names in payers.items()
    ]
    if left := _unlisted(review):
        sentences.append(and_more(left))
    return sentences


def _invoiced_by(review: dict[str, Any]) -> list[str]:
    return [
        f"{each['name']}, {months(each, review)}: {_invoiced(each['before'])} \N{RIGHTWARDS ARROW}"
        f" {_invoiced(each['after'])}"
        for each in review["accounts"]
    ]


def _invoiced(by: dict[str, Any]) -> str:
    terms = by["paymentTerms"]
    words = [by["currencyCode"], on_lines({"netDays": terms["netDays"]}) if terms.get("netDays") is not None else ""]
    words += [str(terms.get("invoiceFrequency") or ""), label(by["paymentMethod"]) if by["paymentMethod"] else ""]
    return ", ".join(filter(None, words)) or "-"


def _amount(line: dict[str, Any]) -> str:
    return quantity(line["quantity"], line["unit"])


def _usage(review: dict[str, Any]) -> list[str]:
    return [f"{each['service']} {each['meter']}: {_amount(each)}" for each in review["usageOfLastMonth"]]
