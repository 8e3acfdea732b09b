"""Pages of the ledger: rows to read, with their history; what changes them are service actions alone."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin import helpers
from django.contrib.admin.utils import flatten_fieldsets
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe
from simple_history.admin import SimpleHistoryAdmin
from simple_history.models import ModelChange, ModelDelta
from unfold.admin import ModelAdmin
from unfold.forms import AdminForm, Fieldline

from milo.admin.actions import ServiceAction
from milo.admin.panels import Panel, badge, instant, list_address, pairs
from milo.admin.site import Attention, request_actor

LATEST_CHANGES = 5

# unfold does this too, but not before its first change form, and a past version is shown without one
helpers.AdminForm = AdminForm  # type: ignore[misc]
helpers.Fieldline = Fieldline  # type: ignore[misc]


# simple-history reverts a row on POST even for those who may only view (traps.md); the rest follows suit
@method_decorator(require_safe, name="changelist_view")
@method_decorator(require_safe, name="changeform_view")
@method_decorator(require_safe, name="delete_view")
@method_decorator(require_safe, name="history_view")
@method_decorator(require_safe, name="history_form_view")
class LedgerAdmin(SimpleHistoryAdmin, ModelAdmin):
    """Read-only pages of one kind. `resource` is its plural in the access table, which alone decides who sees it."""

    resource: ClassVar[str]
    icon: ClassVar[str] = "list"
    phase_colors: ClassVar[Mapping[str, str]] = {}
    list_actions: ClassVar[Sequence[type[ServiceAction]]] = ()
    object_actions: ClassVar[Sequence[type[ServiceAction]]] = ()

    actions = None
    list_per_page = 50
    list_filter_submit = True
    change_form_outer_after_template = "milo/panels.html"
    object_history_form_template = "milo/history_form.html"
    object_history_list_template = "milo/history_list.html"
    history_ignores: ClassVar[tuple[str, ...]] = ("managed_fields", "generation")

    def organization_id(self, row: models.Model) -> int | None:
        """The organization whose roles count for acts on `row`; None for rows of the platform."""
        return getattr(row, "organization_id", None)

    def list_address(self, **filters: Any) -> str:
        """The address of this kind's list, filtered."""
        return list_address(self.model, **filters)

    def panels(self, request: HttpRequest, row: Any) -> list[Panel]:
        """The tables below `row`."""
        return [self.latest_changes(row)]

    def attention(self, request: HttpRequest) -> list[Attention]:
        """What waits for people among the rows of this kind."""
        return []

    @admin.display(description=gettext_lazy("phase"), ordering="phase")
    def phase_badge(self, row: Any) -> str:
        return badge(row.get_phase_display(), self.phase_colors.get(row.phase, ""))

    @admin.display(description=gettext_lazy("labels"))
    def label_pairs(self, row: Any) -> str:
        return pairs(row.labels)

    @admin.display(description=gettext_lazy("annotations"))
    def annotation_pairs(self, row: Any) -> str:
        return pairs(row.annotations)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request_actor(request).may("list", self.resource, None)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[str]:
        return flatten_fieldsets(self.get_fieldsets(request, obj))

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        own = [
            path(f"{prefix}{action.name}/", self._page_of(action), name=f"{name}_{action.name}")
            for prefix, actions in (("", self.list_actions), ("<path:object_id>/", self.object_actions))
            for action in actions
        ]
        return own + super().get_urls()

    def _page_of(self, action: type[ServiceAction]) -> Any:
        return self.admin_site.admin_view(action.as_view(model_admin=self))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        if hasattr(response, "context_data"):
            response.context_data["actions_list"] = self._buttons(request, self.list_actions, None)
        return response

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row = context["original"]
        context["actions_detail"] = self._buttons(request, self.object_actions, row)
        context["panels"] = self.panels(request, row)
        return super().render_change_form(request, context, *args, **kwargs)

    def _buttons(self, request: HttpRequest, actions: Sequence[type[ServiceAction]], row: Any) -> list[dict[str, Any]]:
        actor = request_actor(request)
        organization_id = self.organization_id(row) if row is not None else None
        return [
            action.button(self, row)
            for action in actions
            if action.allowed(actor, organization_id) and action.offered(row)
        ]

    def latest_changes(self, row: Any) -> Panel:
        """Who changed `row` last, when and why."""
        changes = row.history.all()[:LATEST_CHANGES]
        return Panel(
            _("Latest changes"),
            [_("When"), _("Who"), _("Why")],
            [[instant(was.history_date), was.history_user_id, was.history_change_reason] for was in changes],
            more=reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_history", args=[row.pk]),
        )

    def set_history_delta_changes(
        self, request: HttpRequest, historical_records: Any, foreign_keys_are_objs: bool = True
    ) -> None:
        """The library leaves out what no form edits, such as the phase, and the oldest row of each page."""
        records = list(historical_records)
        for record, before in zip(records, [*records[1:], records[-1].prev_record] if records else [], strict=True):
            if before is not None:
                helper = self.get_historical_record_context_helper(request, record)
                record.history_delta_changes = helper.context_for_delta_changes(self._difference(before, record))

    def _difference(self, before: Any, after: Any) -> ModelDelta:
        changes = [
            ModelChange(field.name, "" if old is None else old, "" if new is None else new)
            for field in after.tracked_fields
            if field.name not in self.history_ignores
            and (old := getattr(before, field.attname)) != (new := getattr(after, field.attname))
        ]
        return ModelDelta(changes, [change.field for change in changes], before, after)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        if not object_id.isdecimal():
            raise Http404  # the library would ask the database for it
        return super().history_view(request, object_id, extra_context)

    def history_form_view(
        self, request: HttpRequest, object_id: str, version_id: str, extra_context: Any = None
    ) -> HttpResponse:
        if not (object_id.isdecimal() and version_id.isdecimal()):
            raise Http404
        record = get_object_or_404(self.model.history, pk=version_id, id=object_id)
        return super().history_form_view(request, object_id, version_id, {"record": record})

    def revert_disabled(self, request: HttpRequest, obj: Any = None) -> bool:
        return True
