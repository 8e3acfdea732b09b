"""The list and the page of payer changes: what is planned, its progress, and the outcome of each project."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from billing.access import PAYER_CHANGES
from billing.admin.payer_change_actions import CancelPayerChange, RetryPayerChange, preview_facts
from billing.admin.wording import said
from billing.models import PayerChange, PayerChangeItem
from billing.models.payer_change import PayerChangeQuerySet
from billing.services.payer_changes import outcomes
from billing.services.payer_changes.previews import preview_of_change
from milo.admin.attention import attention
from milo.admin.panels import Attention, Panel, badge, first, instant, link, list_address
from milo.admin.read_only import ReadOnlyAdmin
from milo.admin.related_filters import RelatedFilter
from milo.admin.resources import METADATA
from milo.admin.viewed import ViewedAdmin, ViewFilter

VIEW, PLANNED, AT_RISK, FAILED = "view", "planned", "at-risk", "failed"
VIEWS = (
    (PLANNED, gettext_lazy("Planned")),
    (AT_RISK, gettext_lazy("Will not take effect")),
    (FAILED, gettext_lazy("With failed projects")),
)
_COLORS = {"Completed": "success", "InProgress": "info", "PartlyCompleted": "warning", "Failed": "danger"}
_ITEM_COLORS = {"Done": "success", "Failed": "danger"}


def selected(view: str, changes: PayerChangeQuerySet) -> PayerChangeQuerySet:
    """Return the payer changes of a view; all of them for none. What is planned is in the order of its instants."""
    planned = changes.filter(phase__in=PayerChange.OPEN)
    if view == PLANNED:
        return planned.order_by("effective_at", "pk")
    if view == AT_RISK:
        return changes.at_risk()
    return changes.filter(phase__in=PayerChange.RETRIABLE) if view == FAILED else changes


class PayerChangeViews(ViewFilter):
    parameter_name = VIEW
    views = VIEWS

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[PayerChange]:
        return selected(self.value() or "", queryset)


@admin.register(PayerChange)
class PayerChangeAdmin(ViewedAdmin):
    resource = PAYER_CHANGES
    icon = "move_up"
    nothing_yet = gettext_lazy("Projects are moved by a button on their list, or on the page of their payer.")
    phase_colors = _COLORS
    view_filter = PayerChangeViews
    list_display = ("name", "organization_link", "account_link", "effective_at", "phase_badge", "created_by", "reason")
    list_filter = (
        PayerChangeViews,
        ("organization", RelatedFilter),
        ("account", RelatedFilter),
        ("phase", ChoicesDropdownFilter),
    )
    list_select_related = ("account", "organization", "source")
    search_fields = ("name", "account__name", "organization__name", "created_by", "uid")
    ordering = ("-created_at", "-pk")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "name",
                    "organization_link",
                    "source_link",
                    "account_link",
                    "effective_at",
                    "atomic",
                    "reason",
                    "created_by",
                    "phase_badge",
                    "in_the_way",
                    "finished_at",
                )
            },
        ),
        METADATA,
    )
    object_actions = (CancelPayerChange, RetryPayerChange)

    @admin.display(description=gettext_lazy("organization"), ordering="organization__name")
    def organization_link(self, row: PayerChange) -> str:
        return link(row.organization)

    @admin.display(description=gettext_lazy("new payer"), ordering="account__name")
    def account_link(self, row: PayerChange) -> str:
        return link(row.account)

    @admin.display(description=gettext_lazy("all projects of"))
    def source_link(self, row: PayerChange) -> str:
        return link(row.source)

    @admin.display(description=PayerChange._meta.get_field("obstacle").verbose_name)
    def in_the_way(self, row: PayerChange) -> str:
        return said(row.obstacle)

    def panels(self, request: HttpRequest, row: PayerChange) -> list[Panel]:
        return [self._progress(row), self._items(row), *self._preview(row), *super().panels(request, row)]

    def _progress(self, row: PayerChange) -> Panel:
        counts = outcomes.counts_of(row)
        numbers = [counts[phase] for phase in PayerChangeItem.Phase.values]
        return Panel(
            _("Progress"),
            [_("Projects in total"), *(str(label) for label in PayerChangeItem.Phase.labels)],
            [[sum(numbers), *numbers]],
        )

    def _items(self, row: PayerChange) -> Panel:
        """Return the projects, those that failed first."""
        items = PayerChangeItem.objects.filter(change=row).select_related("project", "binding")
        failed, more = first(items.filter(phase=PayerChangeItem.Phase.FAILED).order_by("pk"))
        others, rest = first(items.exclude(phase=PayerChangeItem.Phase.FAILED).order_by("pk"))
        return Panel(
            _("Outcome of each project"),
            [_("Project"), _("Phase"), _("Binding"), _("When"), _("Message")],
            [
                [
                    link(item.project),
                    badge(item.get_phase_display(), _ITEM_COLORS.get(item.phase, "")),
                    link(item.binding),
                    instant(item.settled_at),
                    said(item.message),
                ]
                for item in (*failed, *others)
            ],
            more=list_address(PayerChangeItem, change__id__exact=row.pk) if more or rest else "",
        )

    def _preview(self, row: PayerChange) -> list[Panel]:
        if row.phase not in PayerChange.OPEN:
            return []
        facts = [[label, value] for label, value in preview_facts(preview_of_change(row))]
        return [Panel(_("What would move as things are"), [_("Fact"), _("Value")], facts)]

    def attention(self, request: HttpRequest) -> list[Attention]:
        changes = PayerChange.objects.all()
        return [
            attention(title, selected(view, changes), since, self.list_address(**{VIEW: view}))
            for view, title, since in (
                (AT_RISK, _("Payer changes that will not take effect"), "created_at"),
                (FAILED, _("Payer changes with failed projects"), "finished_at"),
            )
        ]


@admin.register(PayerChangeItem)
class PayerChangeItemAdmin(ReadOnlyAdmin):
    resource = PAYER_CHANGES
    icon = "list"
    nothing_yet = PayerChangeAdmin.nothing_yet
    phase_colors = _ITEM_COLORS
    list_display = ("project", "change_link", "phase_badge", "effective_at", "settled_at", "message")
    list_filter = (("change", RelatedFilter), ("phase", ChoicesDropdownFilter))
    list_select_related = ("project", "change")
    search_fields = ("project__name", "change__name")
    ordering = ("-pk",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "project_link",
                    "change_link",
                    "phase_badge",
                    "effective_at",
                    "binding_link",
                    "settled_at",
                    "reason",
                    "message",
                )
            },
        ),
    )

    def has_module_permission(self, request: HttpRequest) -> bool:
        # the page of the payer change leads here, not the side bar
        return False

    def organization_id(self, row: Any) -> int | None:
        organization_id: int = row.change.organization_id
        return organization_id

    @admin.display(description=gettext_lazy("project"))
    def project_link(self, row: PayerChangeItem) -> str:
        return link(row.project)

    @admin.display(description=gettext_lazy("payer change"), ordering="change__name")
    def change_link(self, row: PayerChangeItem) -> str:
        return link(row.change)

    @admin.display(description=gettext_lazy("binding"))
    def binding_link(self, row: PayerChangeItem) -> str:
        return link(row.binding)
