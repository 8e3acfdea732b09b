"""The list and the page of approval requests: the inbox of approvers and requesters."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from billing.access import APPROVALS
from billing.admin import request_page
from billing.admin.decision_actions import Approve, Reject, Renew, TakeOver, Withdraw, requester_of, stale_text
from billing.admin.decision_queue import OLDEST_FIRST, age_badge, decides, neighbors, number_to_decide, to_decide
from billing.admin.proposals import summary
from billing.models import ApprovalRequest
from billing.services.approvals import effects
from milo.admin.actors import request_actor
from milo.admin.attention import attention
from milo.admin.panels import Attention, Panel, link
from milo.admin.related_filters import RelatedFilter
from milo.admin.resources import METADATA
from milo.admin.viewed import ViewedAdmin, ViewFilter
from milo.kube.store import changes

INBOX, TO_DECIDE, WAITING, DONE = "inbox", "to-decide", "waiting", "done"
VIEWS = (
    (TO_DECIDE, gettext_lazy("Mine to decide")),
    (WAITING, gettext_lazy("Mine waiting")),
    (DONE, gettext_lazy("Done")),
)
JUSTIFICATION_LENGTH = 100
BACKGROUND = "billing_approvalrequest_background"


class InboxFilter(ViewFilter):
    title = gettext_lazy("inbox")
    parameter_name = INBOX
    views = VIEWS

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApprovalRequest]) -> QuerySet[ApprovalRequest]:
        if self.value() == TO_DECIDE:
            return queryset.filter(pk__in=to_decide(request).values("pk"))
        if self.value() == WAITING:
            return queryset.filter(phase=ApprovalRequest.Phase.PENDING, requester=request_actor(request).name)
        if self.value() == DONE:
            return queryset.exclude(phase=ApprovalRequest.Phase.PENDING)
        return queryset


@admin.register(ApprovalRequest)
class ApprovalRequestAdmin(ViewedAdmin):
    resource = APPROVALS
    icon = "how_to_reg"
    nothing_yet = gettext_lazy("Approvals are requested on the page of an account or of a project.")
    phase_colors = {"Pending": "warning", "Approved": "success", "Rejected": "danger"}
    view_filter = InboxFilter
    list_display = (
        "name",
        "act",
        "organization",
        "account_link",
        "summary",
        "phase_badge",
        "requester",
        "requested_at",
        "decider",
        "decided_at",
    )
    # as a column of the list it would leave the others no room; those that are pending have one
    export_display = (*list_display, "expires_at")
    pending_display = (
        "name",
        "age",
        "organization",
        "account_link",
        "act",
        "summary",
        "short_justification",
        "requester",
        "expires_at",
    )
    list_filter = (
        InboxFilter,
        ("organization", RelatedFilter),
        ("account", RelatedFilter),
        ("act", ChoicesDropdownFilter),
        ("phase", ChoicesDropdownFilter),
    )
    list_select_related = ("account",)
    search_fields = ("name", "account__name", "organization__name", "requester", "decider", "uid")
    ordering = ("-pk",)
    change_form_outer_before_template = "billing/admin/request_top.html"
    change_form_outer_after_template = "billing/admin/request.html"
    asked = (
        "act",
        "account_link",
        "organization",
        "asked_by",
        "justification",
        "phase_badge",
        "age",
        "expires_at",
    )
    decided = ("decider", "decided_at", "comment")
    object_actions = (Approve, Reject, Renew, Withdraw, TakeOver)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApprovalRequest]:
        requests: QuerySet[ApprovalRequest] = super().get_queryset(request)
        return requests.select_related("account", "organization")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        decided = self.decided if obj and obj.decider else ()
        title, options = METADATA
        fields = ("name", "requested_at", "reviewed_hash", *options["fields"])
        return [(None, {"fields": (*self.asked, *decided)}), (title, {**options, "fields": fields})]

    def get_list_display(self, request: HttpRequest) -> Any:
        return self.pending_display if _of_pending(request) else super().get_list_display(request)

    def get_ordering(self, request: HttpRequest) -> Any:
        return OLDEST_FIRST if _of_pending(request) else super().get_ordering(request)

    @admin.display(description=gettext_lazy("billing account"), ordering="account__name")
    def account_link(self, row: ApprovalRequest) -> str:
        return link(row.account)

    @admin.display(description=gettext_lazy("requester"))
    def asked_by(self, row: ApprovalRequest) -> str:
        # unfold's template asks for the contents of a field several times
        if not hasattr(row, "requester_in_words"):
            row.requester_in_words = requester_of(row)  # type: ignore[attr-defined]
        text: str = row.requester_in_words  # type: ignore[attr-defined]
        return text

    @admin.display(description=gettext_lazy("proposed change"))
    def summary(self, row: ApprovalRequest) -> str:
        return summary(row)

    @admin.display(description=gettext_lazy("age"), ordering="requested_at")
    def age(self, row: ApprovalRequest) -> str:
        return age_badge(row)

    @admin.display(description=gettext_lazy("justification"))
    def short_justification(self, row: ApprovalRequest) -> str:
        return Truncator(row.justification).chars(JUSTIFICATION_LENGTH)

    def panels(self, request: HttpRequest, row: ApprovalRequest) -> list[Panel]:
        return request_page.case(row, actor=request_actor(request))

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        # before the row that the page shows: a change that comes in between is then refused, not decided unseen
        request.version_seen = changes.version_of_key(self.model, unquote(object_id))  # type: ignore[attr-defined]
        return super().change_view(request, object_id, *args, **kwargs)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row: ApprovalRequest = context["original"]
        pending = row.phase == ApprovalRequest.Phase.PENDING
        changed = effects.changes_since_review(row.account, row) if pending else []
        version, actor = request.version_seen, request_actor(request)  # type: ignore[attr-defined]
        context |= {
            "around": request_page.around(neighbors(request, row)),
            "stale": stale_text(row) if changed else "",
            "changed": [request_page.stale_panel(changed)] if changed else [],
            "decision": request_page.decision(row, version, stale=bool(changed), actor=actor) if pending else None,
            "background": reverse(f"admin:{BACKGROUND}", args=[row.pk]),
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(require_safe(self.background))
        return [path("<path:object_id>/background/", page, name=BACKGROUND), *super().get_urls()]

    def background(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Answer the part below the decision: it takes as many queries as all above, which need not wait for it."""
        row: ApprovalRequest | None = self.get_object(request, unquote(object_id))
        if row is None or not self.has_view_permission(request, row):
            raise Http404
        panels = [*request_page.background(row, actor=request_actor(request)), self.latest_changes(row)]
        return render(request, "milo/panels.html", {"panels": panels})

    def waiting(self, request: HttpRequest) -> int:
        return number_to_decide(request)

    def attention(self, request: HttpRequest) -> list[Attention]:
        actor, items = request_actor(request), []
        if decides(actor):
            page = self.list_address(**{INBOX: TO_DECIDE})
            title = _("Requests for you to decide")
            items.append(attention(title, to_decide(request), "requested_at", page, daily=True))
        if actor.may("create", APPROVALS, None):
            own = ApprovalRequest.objects.pending().filter(requester=actor.name)
            page = self.list_address(**{INBOX: WAITING})
            items.append(attention(_("Your requests that wait for a decision"), own, "requested_at", page))
        return items


def _of_pending(request: HttpRequest) -> bool:
    """Return whether the list shows a view of pending requests only."""
    return request.GET.get(INBOX) in (TO_DECIDE, WAITING)
