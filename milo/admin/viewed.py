"""Views of a list: links above it, each of which is a choice of one filter."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import DropdownFilter

from milo.admin.ledger import LedgerAdmin


class ViewFilter(DropdownFilter):
    """The filter that selects the rows of a view. Subclass it with `views`, names and titles, and `queryset`."""

    title = gettext_lazy("view")
    parameter_name = "view"
    views: ClassVar[Sequence[tuple[str, str | Promise]]] = ()

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(self.views)


class ViewedAdmin(LedgerAdmin):
    """Pages of a model whose list has views: those of `view_filter`, and all."""

    view_filter: ClassVar[type[ViewFilter]]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        parameter = self.view_filter.parameter_name
        current = request.GET.get(parameter, "")
        views = [("", _("All"), self.list_address())]
        views += [(view, str(title), self.list_address(**{parameter: view})) for view, title in self.view_filter.views]
        context = {"views": [(title, address, view == current) for view, title, address in views]}
        return super().changelist_view(request, {**context, **(extra_context or {})})
