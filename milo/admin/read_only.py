"""Read-only admin pages: lists, objects and panels below them. Only service actions change rows."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe
from unfold.admin import ModelAdmin
from unfold.enums import ActionVariant

from milo.admin.actions import ServiceAction
from milo.admin.actors import request_actor
from milo.admin.exports import ListExport
from milo.admin.keysets import KeysetPages
from milo.admin.local_values import LocalValues
from milo.admin.lookups import NamedLookups
from milo.admin.panels import Attention, Panel, badge, list_address, pairs
from milo.admin.reports import Report
from milo.admin.saved_filters import saved_filters
from milo.admin.tabs import Tab, open_tab, tab_links


@method_decorator(require_safe, name="changelist_view")
@method_decorator(require_safe, name="changeform_view")
@method_decorator(require_safe, name="delete_view")
class ReadOnlyAdmin(NamedLookups, LocalValues, KeysetPages, ListExport, ModelAdmin):
    """Read-only pages of one model. `resource` is its plural in the access table, which alone decides who sees it."""

    resource: ClassVar[str]
    icon: ClassVar[str] = "list"
    # how the first row comes about, for empty lists and panels
    nothing_yet: ClassVar[str | Promise] = ""
    phase_colors: ClassVar[Mapping[str, str]] = {}
    show_history: ClassVar[bool] = False
    list_actions: ClassVar[Sequence[type[ServiceAction]]] = ()
    list_reports: ClassVar[Sequence[type[Report]]] = ()
    object_actions: ClassVar[Sequence[type[ServiceAction]]] = ()
    # the menu that greys actions without one of their own; buttons alone have no room for a reason
    greyed_menu: ClassVar[str | Promise] = ""

    actions = None
    list_per_page = 50
    list_filter_submit = True
    list_before_template = "milo/above_list.html"
    # who has come down to the last row by keyboard finds the button of a selection there, too
    list_after_template = "milo/below_list.html"
    # no submit row: nothing is submitted, and unfold labels its link to the list "Close", which is also an action
    change_form_template = "milo/read_only_form.html"
    change_form_outer_after_template = "milo/panels.html"

    def organization_id(self, row: models.Model) -> int | None:
        """Return the organization whose roles count for actions on `row`; None for rows without organization."""
        return getattr(row, "organization_id", None)

    def list_address(self, **filters: Any) -> str:
        """Return the URL of the list, filtered."""
        return list_address(self.model, **filters)

    def panels(self, request: HttpRequest, row: Any) -> list[Panel]:
        """Return the panels below `row`."""
        return []

    def tabs(self, request: HttpRequest, row: Any) -> Sequence[Tab]:
        """Return the tabs of the page of `row` beside the one with its fields and `panels`; most pages have none."""
        return ()

    def attention(self, request: HttpRequest) -> list[Attention]:
        """Return the items that the home page shows for this model."""
        return []

    def charts(self, request: HttpRequest) -> list[Panel]:
        """Return the charts that the home page shows for this model, each with its table as the alternative."""
        return []

    def waiting(self, request: HttpRequest) -> int:
        """Return the number of rows that wait for this person, for the side bar: counted up to `MOST_COUNTED` + 1."""
        return 0

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

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        # of what characters a name may be is for those who choose one
        return super().get_form(request, obj, change, help_texts={"name": ""}, **kwargs)

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        own = [
            path(f"{prefix}{action.name}/", self._page_of(action), name=f"{name}_{action.name}")
            for prefix, actions in (("", self.list_actions), ("<path:object_id>/", self.object_actions))
            for action in actions
        ]
        own += [
            path(f"{report.name}/", self._page_of(report), name=f"{name}_{report.name}") for report in self.list_reports
        ]
        return own + super().get_urls()

    def _page_of(self, action: type[ServiceAction | Report]) -> Any:
        return self.admin_site.admin_view(action.as_view(model_admin=self))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        title = capfirst(self.opts.verbose_name_plural)
        response = super().changelist_view(request, {"title": title, **(extra_context or {})})
        if hasattr(response, "context_data"):
            buttons = [report.button(self) for report in self.list_reports]
            buttons += [self.export_button(request), *self._buttons(request, self.list_actions, None)]
            response.context_data |= {"actions_list": buttons, "filters": saved_filters(request, self.model)}
        return response

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row = context["original"]
        context["actions_detail"] = self._buttons(request, self.object_actions, row)
        tabs = self.tabs(request, row)
        current = open_tab(request, tabs)
        context["tabs"] = tab_links(row, self.opts.verbose_name, tabs, current) if tabs else []
        context["panels"] = current.panels() if current else self.panels(request, row)
        if current and current.template:
            context |= {"tab_template": current.template, **current.context()}
        context["show_history"] = self.show_history
        return super().render_change_form(request, context, *args, **kwargs)

    def _buttons(self, request: HttpRequest, actions: Sequence[type[ServiceAction]], row: Any) -> list[dict[str, Any]]:
        actor = request_actor(request)
        organization_id = self.organization_id(row) if row is not None else None
        buttons: list[dict[str, Any]] = []
        menus: dict[Any, list[dict[str, Any]]] = {}
        for action in actions:
            if action.on_page or not action.allowed(actor, organization_id) or not action.meant_for(actor, row):
                continue
            offered = action.offered(row)
            if offered and not action.menu:
                buttons.append(action.button(self, row))
            elif offered:
                menus.setdefault(action.menu, []).append(action.button(self, row))
            elif (why := action.why_not(row)) and (menu := action.menu or self.greyed_menu):
                menus.setdefault(menu, []).append(action.greyed(why))
        return [*buttons, *(_menu(number, title, items) for number, (title, items) in enumerate(menus.items()))]

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        raise Http404  # Django would show its admin log, which has no entries of these rows


def _menu(number: int, title: Any, items: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a menu in the form that unfold expects; what is possible now stands before what is greyed."""
    return {
        "title": title,
        "icon": "more_horiz",
        "variant": ActionVariant.DEFAULT,
        "method_name": f"menu{number}",
        "items": sorted(items, key=lambda item: bool(item.get("obstacle"))),
    }
