"""The list and the page of projects, extended by payer, timeline of bindings, usage, and the actions on bindings."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Exists, OuterRef, Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import DropdownFilter

from billing.admin import usage
from billing.admin.account_panels import notices_panel
from billing.admin.payer_change_actions import SELECTED, MoveListed
from billing.admin.payer_correction_actions import CorrectPayer
from billing.admin.payer_lock_actions import LockPayer, UnlockPayer, locks_panels
from billing.admin.project_actions import ArchiveProject, BindProject
from billing.admin.project_payers import payers_panel
from billing.admin.unassigned_usage import AssignProjectUsage, UnassignedUsage
from billing.admin.usage import UsagePages
from billing.models import BillingAccount, BillingAccountBinding, PayerCorrection, PayerLock, UnboundProject
from billing.models.unbound_project import unbound_projects
from billing.services.locked_payers import why_locked
from billing.services.past import Payer, payer_at
from billing.services.payer_changes import plans
from billing.services.usage.assignments import unassigned
from milo.admin.actors import request_actor
from milo.admin.attention import attention
from milo.admin.panels import Attention, Panel, Question, badge, first, instant, link, list_address
from milo.admin.reasons import reason, reason_text
from projects.admin.projects import ProjectAdmin
from projects.models import Project

admin.site.unregister(Project)
PAYER, NOBODY, SOMEBODY, LOCKED = "payer", "nobody", "somebody", "locked"
PAID_ON = "paidOn"


def _instant(text: str) -> datetime | None:
    """Parse the value of a `datetime-local` input as UTC; None if it is empty or invalid."""
    try:
        value = parse_datetime(text)
    except ValueError:
        return None
    return value and value.replace(tzinfo=UTC)


class PayerFilter(DropdownFilter):
    title = gettext_lazy("payer")
    parameter_name = PAYER

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(NOBODY, _("Unbound: active, and nobody pays")), (SOMEBODY, _("Paid for")), (LOCKED, _("Locked"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Project]) -> QuerySet[Project]:
        if self.value() == NOBODY:
            return queryset.filter(pk__in=unbound_projects().values("pk"))
        if self.value() == SOMEBODY:
            return queryset.filter(pk__in=BillingAccountBinding.objects.paying().values("project"))
        if self.value() == LOCKED:
            return queryset.filter(pk__in=PayerLock.objects.open().values("project"))
        return queryset


@admin.register(Project)
class BilledProjectAdmin(UsagePages, ProjectAdmin):
    list_display = ("selector", "name", "display_name", "organization_link", "payer", "phase_badge", "created_at")
    list_display_links = ("name",)
    # a name and a mark of its own each have a column in a file
    export_display = (*list_display[1:4], "paying_account", "payer_locked", *list_display[5:])
    list_filter = (*ProjectAdmin.list_filter, PayerFilter)
    fieldsets = (
        (None, {"fields": [*ProjectAdmin.fieldsets[0][1]["fields"], "payer", "standing", "lock"]}),
        *ProjectAdmin.fieldsets[1:],
    )
    list_reports = (*ProjectAdmin.list_reports, UnassignedUsage)
    list_actions = (*ProjectAdmin.list_actions, MoveListed)
    object_actions = (
        BindProject,
        CorrectPayer,
        *ProjectAdmin.object_actions,
        LockPayer,
        UnlockPayer,
        ArchiveProject,
        AssignProjectUsage,
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Project]:
        paying = BillingAccountBinding.objects.paying().select_related("account")
        projects: QuerySet[Project] = super().get_queryset(request)
        locked = Exists(PayerLock.objects.open().filter(project=OuterRef("pk")))
        return projects.annotate(locked=locked).prefetch_related(
            Prefetch("bindings", paying, to_attr="paying_bindings")
        )

    def get_list_display(self, request: HttpRequest) -> Sequence[str]:
        if MoveListed.allowed(request_actor(request), None):
            return self.list_display
        return [column for column in self.list_display if column != "selector"]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        context: dict[str, Any] = {}
        if MoveListed.allowed(request_actor(request), None):
            context = {"selection": {"address": MoveListed.button(self, None)["path"], "title": _("Move the selected")}}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    @admin.display(description=gettext_lazy("selected"))
    def selector(self, row: Project) -> str:
        # of the form above the list, which is sent as a link is: nothing is written by it
        box = '<input type="checkbox" form="selection" name="{}" value="{}" aria-label="{}">'
        return format_html(box, SELECTED, row.pk, _("Select %(name)s") % {"name": row.name})

    @admin.display(description=gettext_lazy("who pays"))
    def payer(self, row: Any) -> str:
        if not row.paying_bindings:
            return "-"
        payer = self.paying_account(row)
        return format_html("{} {}", payer, badge(_("Locked"), "info")) if row.locked else payer

    @admin.display(description=gettext_lazy("who pays"))
    def paying_account(self, row: Any) -> str:
        return link(row.paying_bindings[0].account) if row.paying_bindings else "-"

    @admin.display(description=gettext_lazy("payer lock"))
    def payer_locked(self, row: Any) -> str:
        return _("Locked") if row.locked else "-"

    @admin.display(description=gettext_lazy("payer's standing"))
    def standing(self, row: Any) -> str:
        if not row.paying_bindings:
            return "-"
        account = row.paying_bindings[0].account
        if account.phase == BillingAccount.Phase.READY:
            return badge(_("In good standing"), "success")
        why = f"{account.get_phase_display()}: {reason_text(account.phase_reason)}"
        return badge(why, "danger")

    @admin.display(description=gettext_lazy("payer lock"))
    def lock(self, row: Any) -> str:
        return next(iter(why_locked([row.pk]).values()), "-") if row.locked else "-"

    def panels(self, request: HttpRequest, row: Project) -> list[Panel]:
        return [
            *self._planned(row),
            payers_panel(request, row),
            self._timeline(request, row),
            *_corrections(row),
            *locks_panels(row),
            *usage.panels(row, "account"),
            notices_panel(row.notices.all(), project__id__exact=row.pk),
            *super().panels(request, row),
        ]

    def _planned(self, row: Project) -> list[Panel]:
        """Return who will pay, where a payer change plans that."""
        item = plans.open_item(row.pk)
        if item is None:
            return []
        return [
            Panel(
                _("Who will pay"),
                [_("Billing account"), _("From"), _("Payer change")],
                [[link(item.change.account), instant(item.effective_at), link(item.change)]],
            )
        ]

    def _timeline(self, request: HttpRequest, row: Project) -> Panel:
        text = request.GET.get(PAID_ON, "")
        at = _instant(text)
        error = forms.DateTimeField.default_error_messages["invalid"] if text and not at else ""
        if at:
            payer, more = payer_at(row, at), False
            stretches = [_at(payer)] if payer else []
        else:
            bindings, more = first(BillingAccountBinding.objects.timeline(row).reverse())
            stretches = [_bound(binding) for binding in bindings]
        return Panel(
            question=Question(PAID_ON, _("Who paid at (UTC)"), text, error=error),
            title=_("Bindings, the latest first"),
            headers=[
                _("Billing account"),
                _("From"),
                _("Until"),
                _("Phase"),
                _("End reason"),
                _("Binding"),
            ],
            rows=stretches,
            more=list_address(BillingAccountBinding, project__id__exact=row.pk) if more else "",
        )

    def attention(self, request: HttpRequest) -> list[Attention]:
        unbound = self.list_address(**{PAYER: NOBODY})
        return [
            attention(_("Unbound projects"), UnboundProject.objects.all(), "created_at", unbound),
            attention(_("Usage for which nobody paid"), unassigned(), "first", UnassignedUsage.address(self)),
        ]


def _bound(binding: BillingAccountBinding) -> list[Any]:
    return [
        link(binding.account),
        instant(binding.established_at),
        instant(binding.ended_at),
        binding.get_phase_display(),
        reason(binding.end_reason),
        link(binding),
    ]


def _at(payer: Payer) -> list[Any]:
    """Return the row of who paid at an instant; a correction is named instead of the end of the binding."""
    if payer.corrected_by is None:
        assert payer.binding
        return _bound(payer.binding)
    correction = payer.corrected_by
    note = _("corrected by %(request)s") % {"request": correction.request.name}
    bound = link(payer.binding) if payer.binding else "-"
    return [link(payer.account), instant(correction.starts_at), instant(correction.ends_at), "-", note, bound]


def _corrections(row: Project) -> list[Panel]:
    corrections, _more = first(
        PayerCorrection.objects.filter(project=row).select_related("account", "request").order_by("-recorded_at")
    )
    if not corrections:
        return []
    return [
        Panel(
            _("Corrections of the payer, the latest first"),
            [_("Should have paid"), _("From"), _("Until"), _("Recorded"), _("Approval request")],
            [
                [
                    link(correction.account),
                    instant(correction.starts_at),
                    instant(correction.ends_at),
                    instant(correction.recorded_at),
                    link(correction.request),
                ]
                for correction in corrections
            ],
        )
    ]
