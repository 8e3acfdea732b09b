"""The list and the page of approval requests: the inbox of approvers and requesters."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, DropdownFilter

from billing.access import APPROVALS
from billing.admin.decision_actions import Approve, Reject, Renew, TakeOver, Withdraw, requester_of
from billing.admin.proposals import proposed, summary
from billing.admin.wording import label, on_lines
from billing.models import ApprovalRequest
from billing.services.approvals import effects
from milo.admin.actors import request_actor
from milo.admin.ledger import LedgerAdmin
from milo.admin.panels import Attention, Panel, link
from milo.admin.resources import METADATA

INBOX, TO_DECIDE, WAITING, DONE = "inbox", "to-decide", "waiting", "done"
VIEWS = (
    (TO_DECIDE, gettext_lazy("Mine to decide")),
    (WAITING, gettext_lazy("Mine waiting")),
    (DONE, gettext_lazy("Done")),
)


def to_decide(request: HttpRequest) -> QuerySet[ApprovalRequest]:
    """Return the requests that the logged-in person may approve or reject now."""
    actor = request_actor(request)
    # on every page, and nothing waits on most days: putting the whole query together takes longer than asking
    if not actor.may("create", APPROVALS, None, action="approve") or not ApprovalRequest.objects.pending().exists():
        return ApprovalRequest.objects.none()
    return ApprovalRequest.objects.awaiting(actor.name)


class InboxFilter(DropdownFilter):
    title = gettext_lazy("inbox")
    parameter_name = INBOX

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(VIEWS)

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApprovalRequest]) -> QuerySet[ApprovalRequest]:
        if self.value() == TO_DECIDE:
            return queryset.filter(pk__in=to_decide(request).values("pk"))
        if self.value() == WAITING:
            return queryset.filter(phase=ApprovalRequest.Phase.PENDING, requester=request_actor(request).name)
        if self.value() == DONE:
            return queryset.exclude(phase=ApprovalRequest.Phase.PENDING)
        return queryset


@admin.register(ApprovalRequest)
class ApprovalRequestAdmin(LedgerAdmin):
    resource = APPROVALS
    icon = "how_to_reg"
    phase_colors = {"Pending": "warning", "Approved": "success", "Rejected": "danger"}
    list_before_template = "milo/views.html"
    list_display = (
        "name",
        "act",
        "account_link",
        "summary",
        "phase_badge",
        "requester",
        "requested_at",
        "expires_at",
        "decider",
        "decided_at",
    )
    list_filter = (
        InboxFilter,
        ("organization", AutocompleteSelectFilter),
        ("account", AutocompleteSelectFilter),
        ("act", ChoicesDropdownFilter),
        ("phase", ChoicesDropdownFilter),
    )
    list_select_related = ("account",)
    search_fields = ("name", "account__name", "organization__name", "requester", "decider", "uid")
    ordering = ("-requested_at",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "name",
                    "act",
                    "account_link",
                    "phase_badge",
                    "justification",
                    "asked_by",
                    "requested_at",
                    "expires_at",
                    "decider",
                    "decided_at",
                    "comment",
                    "reviewed_hash",
                )
            },
        ),
        METADATA,
    )
    object_actions = (Approve, Reject, Renew, Withdraw, TakeOver)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApprovalRequest]:
        requests: QuerySet[ApprovalRequest] = super().get_queryset(request)
        return requests.select_related("account", "organization")

    @admin.display(description=gettext_lazy("billing account"), ordering="account__name")
    def account_link(self, row: ApprovalRequest) -> str:
        return link(row.account)

    @admin.display(description=gettext_lazy("requester"))
    def asked_by(self, row: ApprovalRequest) -> str:
        return requester_of(row)

    @admin.display(description=gettext_lazy("proposed change"))
    def summary(self, row: ApprovalRequest) -> str:
        return summary(row)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        current = request.GET.get(INBOX, "")
        views = [("", _("All"), self.list_address())]
        views += [(view, str(title), self.list_address(**{INBOX: view})) for view, title in VIEWS]
        context = {"views": [(title, address, view == current) for view, title, address in views]}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def panels(self, request: HttpRequest, row: ApprovalRequest) -> list[Panel]:
        return [*self._changed(row), *self._proposal(row), self._reviewed(row), *super().panels(request, row)]

    def _changed(self, row: ApprovalRequest) -> list[Panel]:
        """Return what has changed on the account since the review, while the request is pending: it blocks approval."""
        if row.phase != ApprovalRequest.Phase.PENDING:
            return []
        changed = effects.changes_since_review(row.account, row)
        if not changed:
            return []
        return [
            Panel(
                _("The account has changed since: the requester must renew the request"),
                [_("Field"), _("As reviewed"), _("Now")],
                [[label(name), on_lines(before), on_lines(after)] for name, before, after in changed],
            )
        ]

    def _proposal(self, row: ApprovalRequest) -> list[Panel]:
        fields = proposed(row)
        if not fields:
            return []
        return [
            Panel(
                _("What is proposed"),
                [_("Field"), _("As reviewed"), _("Proposed")],
                [[label(name), on_lines(before), on_lines(after)] for name, before, after in fields],
            )
        ]

    def _reviewed(self, row: ApprovalRequest) -> Panel:
        return Panel(
            _("The account as reviewed"),
            [_("Field"), _("Value")],
            sorted([label(name), on_lines(value)] for name, value in row.reviewed.items()),
        )

    def waiting(self, request: HttpRequest) -> int:
        return to_decide(request).count()

    def attention(self, request: HttpRequest) -> list[Attention]:
        actor = request_actor(request)
        if not actor.may("create", APPROVALS, None, action="approve"):
            return []
        waiting = to_decide(request).count()
        return [Attention(_("Requests for you to decide"), waiting, self.list_address(**{INBOX: TO_DECIDE}))]
