"""Filters of lists that a person saves by name: links above the list, since a filter is the query of its address."""

from typing import Any
from urllib.parse import unquote_plus

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.utils.translation import gettext as _
from django.views import View

from milo import card_numbers, texts
from milo.admin.panels import list_address
from milo.identity.models import LONGEST_NAME, LONGEST_QUERY, SavedFilter
from milo.keys import is_key

MOST = 20
# the place in the list, an error, and how the list is shown in a window of its own
_NO_FILTER = ("p", "e", "_popup", "_to_field")


def filter_of(query: str) -> str:
    """Return the part of a query string of a list that filters, searches and orders it; not what was left blank."""
    asked = QueryDict(query, mutable=True)
    for name, values in list(asked.lists()):
        asked.setlist(name, [value for value in values if value and name not in _NO_FILTER])
    return asked.urlencode()


def saved_filters(request: HttpRequest, model: Any) -> dict[str, Any]:
    """Return what the list of `model` shows: the saved filters, which one is on, and the query that can be saved."""
    query, person = filter_of(request.GET.urlencode()), request.user
    page = list_address(model)
    saved = [(row.pk, row.name, f"{page}?{row.query}", row.query == query) for row in _of(person, model)]
    new = query if query and len(saved) < MOST and not any(is_on for *_rest, is_on in saved) else ""
    return {"saved": saved, "new": new, "page": model._meta.label_lower}


def _of(person: Any, model: Any) -> list[SavedFilter]:
    return list(SavedFilter.objects.of(person.pk, model._meta.label_lower)[:MOST])


class SaveFilter(View):
    """POST saves the `query` of the list `page` as `name`, or deletes the filter with the key `delete`, of oneself."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, admin_site: Any) -> HttpResponse:
        pages = {model._meta.label_lower: page for model, page in admin_site._registry.items()}
        page = pages.get(request.POST.get("page", ""))
        if page is None:
            raise Http404
        if not page.has_view_permission(request):
            raise PermissionDenied
        person: Any = request.user
        rows = SavedFilter.objects.of(person.pk, page.model._meta.label_lower)
        if key := request.POST.get("delete", ""):
            row = rows.filter(pk=int(key)).first() if is_key(key) else None
            if row is None:
                raise Http404
            row.delete()
            return HttpResponseRedirect(list_address(page.model))
        name, query = request.POST.get("name", "").strip(), filter_of(request.POST.get("query", ""))
        if fault := _fault(name, query) or _save(rows, person, page.model, name, query):
            messages.error(request, fault)
        return HttpResponseRedirect(f"{list_address(page.model)}?{query}")


def _fault(name: str, query: str) -> str:
    if not name or not query:
        return _("A filter needs a name, and something to filter by.")
    if len(name) > LONGEST_NAME or len(query) > LONGEST_QUERY:
        return _("The name or the filter is too long.")
    asked = unquote_plus(query)
    causes = [cause for text in (name, asked) for cause in texts.causes(text, "") + card_numbers.causes(text, "")]
    return causes[0].message if causes else ""


def _save(rows: Any, person: Any, model: Any, name: str, query: str) -> str:
    if rows.count() >= MOST:
        return _("A list has at most %(number)d saved filters: delete one.") % {"number": MOST}
    try:
        with transaction.atomic():
            SavedFilter.objects.create(person=person, page=model._meta.label_lower, name=name, query=query)
    except IntegrityError:
        return _("You have a filter of this name already.")
    return ""
