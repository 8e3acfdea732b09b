"""The page of an approval request: what changes, whom it concerns, and the decision."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Window
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _

from billing.admin.account_panels import holds_panel, suspensions_panel
from billing.admin.affiliation_request import affiliation_panels
from billing.admin.blockers import checklist
from billing.admin.decision_actions import Approve, ApproveForm, Reject
from billing.admin.proposals import Action, at_words, proposed, reviewed_on_lines
from billing.admin.suspension_actions import ResolveSuspension, some
from billing.admin.wording import UID, and_more, label, money, money_in_words, on_lines, quantity, said
from billing.models import ApprovalRequest, BillingAccount, Charge
from billing.models.binding import projects_paid_by
from billing.services.approvals import decisions
from billing.services.approvals.reviews import Difference
from billing.services.notices import outbox
from billing.services.timeline import TimelineEvent
from billing.services.timeline_table import readable_timeline
from milo.access import Actor
from milo.admin.panels import SHOWN, Panel, address, day_text, first, instant, lines, link, month_text, number_text
from milo.admin.reasons import reason
from milo.dates import parse_day
from projects.models import Project

EVENTS = 10


@dataclass(frozen=True, slots=True)
class Choice:
    """A button of the decision: `obstacle` says why this person may not press it."""

    title: Any
    address: str
    variant: str
    obstacle: str

    @property
    def attrs(self) -> dict[str, bool]:
        """Return the attributes of the button that unfold knows of."""
        return {"disabled": bool(self.obstacle)}

    @property
    def target(self) -> str:
        """Return the attribute that makes the button send the form to its action."""
        return "" if self.obstacle else format_html('formaction="{}"', self.address)


def decision(request: ApprovalRequest, version: int, *, stale: bool, actor: Actor) -> dict[str, Any]:
    """Return form, buttons and obstacles of the decision on a pending request, read after its revision `version`.

    A stale request has no button to approve it.
    """
    obstacles = decisions.obstacles(request, actor=actor)
    choices = [
        Choice(
            action.title,
            reverse(f"admin:billing_approvalrequest_{action.name}", args=[request.pk]),
            "danger" if action is Reject else "primary",
            obstacles[action.action],
        )
        for action in (Approve, Reject)
        if not (stale and action is Approve)
    ]
    seen = {"resource_version": version, "reviewed_hash": request.reviewed_hash}
    return {
        "choices": choices,
        "obstacles": list(dict.fromkeys(choice.obstacle for choice in choices if choice.obstacle)),
        "form": None if all(choice.obstacle for choice in choices) else ApproveForm(initial=seen, row=request),
    }


def stale_panel(changed: list[Difference]) -> Panel:
    """Return what has changed since the review."""
    return Panel(
        _("What has changed since the review"),
        [_("Field"), _("As reviewed"), _("Now")],
        [
            [label(name), lines(reviewed_on_lines(name, before)), lines(reviewed_on_lines(name, after))]
            for name, before, after in changed
        ],
    )


def case(request: ApprovalRequest, *, actor: Actor) -> list[Panel]:
    """Return what the decision is about: changed values, whom they concern, and the evidence."""
    changes = Panel(
        _("What changes"),
        [_("Field"), _("Before"), _("After")],
        [[name, on_lines(before), on_lines(after)] for name, before, after in proposed(request)],
    )
    return [changes, _concerned(request), *_evidence(request, actor)]


def background(request: ApprovalRequest, *, actor: Actor) -> list[Panel]:
    """Return the recent history of the account, and the account as it was reviewed."""
    rows = ([label(name), lines(reviewed_on_lines(name, value))] for name, value in request.reviewed.items())
    reviewed = Panel(_("The account as reviewed"), [_("Field"), _("Value")], sorted(rows))
    return [_recent(request.account, actor), reviewed]


def _concerned(request: ApprovalRequest) -> Panel:
    """Return projects, recipients and outstanding charges that the effect concerns."""
    account, told = request.account, outbox.recipients_of_decision(request)
    if request.act in (Action.CLOSE, Action.REACTIVATE):
        told |= {*account.invoice_email_addresses}
    rows = [[_("Projects"), _projects(request)], [_("Outstanding charges"), _charges(account)]]
    if request.act == Action.REACTIVATE:
        rows.append([_("Contacts of these projects"), _("get a notice that the account is ready again")])
    return Panel(_("Whom it concerns"), [_("What"), _("Which")], [*rows, [_("Who gets a notice"), some(sorted(told))]])


def _projects(request: ApprovalRequest) -> Any:
    if named := request.proposal.get("project"):
        project = Project.objects.filter(organization_id=request.organization_id, name=named).first()
        return link(project) if project else str(named)
    if request.act == Action.AFFILIATE:
        return request.reviewed.get("projectsCount", "-")
    projects = projects_paid_by(request.account).order_by("name")
    if request.act == Action.MOVE_PAYERS:
        names = request.reviewed["projects"]
        projects = Project.objects.filter(organization=request.organization_id, name__in=names).order_by("name")
    # listed and counted in one query
    listed = list(projects.annotate(total=Window(Count("pk")))[:SHOWN])
    count: int = listed[0].total if listed else 0  # type: ignore[attr-defined]  # annotated above
    rest = [and_more(count - SHOWN)] if count > SHOWN else []
    return lines([*map(link, listed), *rest])


def _charges(account: BillingAccount) -> Any:
    unsettled = Charge.objects.filter(account=account).unsettled().order_by("due_date", "pk")
    listed, more = first(unsettled)
    texts = [
        _("%(amount)s, due on %(day)s")
        % {"amount": money(charge.amount, charge.currency_code), "day": day_text(charge.due_date)}
        for charge in listed
    ]
    return lines([*texts, *([_("and more")] if more else [])])


def _evidence(request: ApprovalRequest, actor: Actor) -> list[Panel]:
    if request.act == Action.REACTIVATE:
        resolves = ResolveSuspension.allowed(actor, request.organization_id)
        return [suspensions_panel(request.account, resolves=resolves)]
    if request.act == Action.CLOSE and request.phase == ApprovalRequest.Phase.PENDING:
        return checklist(request.account, besides=request, actor=actor)
    if request.act == Action.RELEASE_HOLD:
        return [holds_panel(request.account)]
    if request.act == Action.ASSIGN_USAGE:
        return [_usage(request)]
    if request.act == Action.CORRECT_PAYER:
        return [_payers(request), _moving(request), _months(request)]
    if request.act == Action.MOVE_PAYERS:
        return [_moved(request)]
    if request.act == Action.AFFILIATE:
        return affiliation_panels(request)
    return []


def _moved(request: ApprovalRequest) -> Panel:
    """Return every project that would move, and why some cannot."""
    cannot = {each["project"]: each["why"] for each in request.reviewed["cannotMove"]}
    return Panel(
        _("Projects that move"),
        [_("Project"), _("Cannot move")],
        [[name, cannot.get(name, "-")] for name in request.reviewed["projects"]],
    )


def _usage(request: ApprovalRequest) -> Panel:
    return Panel(
        _("Usage that is assigned"),
        [_("Service"), _("Meter"), _("Quantity"), _("Events")],
        [
            [each["service"], each["meter"], quantity(each["quantity"], each["unit"]), number_text(each["events"])]
            for each in request.reviewed.get("usage", [])
        ],
    )


def _payers(request: ApprovalRequest) -> Panel:
    return Panel(
        _("Who paid"),
        [_("From"), _("Until"), _("Billing account")],
        [
            [at_words(each["from"]), at_words(each["until"]), each["account"] or _("nobody")]
            for each in request.reviewed.get("payers", [])
        ],
    )


def _moving(request: ApprovalRequest) -> Panel:
    return Panel(
        _("Usage that moves"),
        [_("Meter"), _("Billing account"), _("Before"), _("After")],
        [
            [
                f"{each['service']} {each['meter']}",
                each["account"] or _("nobody"),
                quantity(each["before"], each["unit"]),
                quantity(each["after"], each["unit"]),
            ]
            for each in request.reviewed.get("usage", [])
            if each["before"] != each["after"]
        ],
    )


def _months(request: ApprovalRequest) -> Panel:
    charges = [
        [each["account"], f"{each['name']}: {money_in_words(each['amount'])}, {day_text(parse_day(each['dueDate']))}"]
        for each in request.reviewed.get("charges", [])
    ]
    months = [
        [name, _("months before %(month)s are closed, and reversed in it") % {"month": month_text(month)}]
        for name, month in request.reviewed.get("firstOpenMonths", {}).items()
    ]
    return Panel(_("Charges and closed months"), [_("Billing account"), _("What")], [*charges, *months])


def _recent(account: BillingAccount, actor: Actor) -> Panel:
    events, _following = readable_timeline(account, limit=EVENTS, actor=actor)
    return Panel(
        _("What happened to the account lately"),
        [_("When"), _("What"), _("Reason"), _("Message"), _("Who")],
        [
            [instant(event.at), _subject(event), reason(event.reason), said(event.message), event.actor]
            for event in events
        ],
        more=reverse("admin:billing_billingaccount_timeline", args=[account.pk]),
    )


def _subject(event: TimelineEvent) -> str:
    """Return kind and name of the object of an event; the kind alone where the name is a uid."""
    kind = label(event.kind)
    return kind if UID.fullmatch(event.name) else f"{kind} {event.name}"


def around(neighbors: tuple[ApprovalRequest | None, ApprovalRequest | None]) -> dict[str, str]:
    """Return the addresses of the requests to decide before and after this one, where there are any."""
    return {name: address(row) for name, row in zip(("previous", "next"), neighbors, strict=True) if row is not None}
