"""The command palette: objects by what people type, in the models that the setting UNFOLD lists."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db.models import Case, Model, Value, When
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from unfold.dataclasses import SearchResult

from milo.admin.lookups import MOST_WORDS
from milo.admin.panels import address, list_address

# results of each kind; one more leads to the list with all of them
AT_MOST = 5
LONGEST = 200


def find(request: HttpRequest, text: str, models: Sequence[str]) -> list[SearchResult]:
    """Return the objects of `models` (labels) that the person may see and that a search of their lists finds.

    At most five of each kind, first the one whose name is `text`. One query for each kind; none for too long a text.
    """
    if len(text) > LONGEST or len(text.split()) > MOST_WORDS:
        return []
    return [result for label in models for result in _of_kind(request, text, apps.get_model(label))]


def _of_kind(request: HttpRequest, text: str, model: type[Model]) -> Iterator[SearchResult]:
    model_admin: Any = admin.site.get_model_admin(model)
    if not model_admin.has_view_permission(request):
        return
    names = {field.name for field in model._meta.get_fields()}
    rows, _duplicates = model_admin.get_search_results(request, model._base_manager.all(), text)
    rows = rows.select_related(*({"organization", "account"} & names))
    exact = [Case(When(name=text, then=Value(0)), default=Value(1))] if "name" in names else []
    page = list(rows.order_by(*exact, "-pk")[: AT_MOST + 1])
    icon, kind = getattr(model_admin, "icon", "list"), capfirst(str(model._meta.verbose_name))
    for row in page[:AT_MOST]:
        about = (kind, getattr(row, "display_name", ""), str(getattr(row, "organization", "")))
        yield SearchResult(str(row), " · ".join(part for part in about if part), address(row), icon)
    if len(page) > AT_MOST:
        kinds = capfirst(str(model._meta.verbose_name_plural))
        yield SearchResult(_("Show all"), kinds, list_address(model, q=text), "list")
