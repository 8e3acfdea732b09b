"""Search of what stands inside JSON columns: tax numbers, e-mail addresses, payment references."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from django.db import connection
from django.db.models import F, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast, Replace

from milo.admin import masked_searches
from milo.letter_case import spellings

# what people type between the groups of a number, and what stored numbers have there
_BETWEEN = re.compile(r"[\s./\u00b7\u2010-\u2015\u2212-]+")
_SIGNS = (" ", "-", ".", "/")
# numbers, references and addresses have one of these; the keys of the columns, which are searched with them, have none
_NO_ROW = Q(pk__in=[])
_TELLING = re.compile(r"[\d@]", re.ASCII)


class JsonSearches:
    """Mixin for read-only admins; list it first. A search also finds a row by the values of its JSON columns.

    The text is searched as a whole. In `number_search_fields` separators between groups do not count. Whoever reads
    masks finds a row by a whole value only, which is noted.
    """

    json_search_fields: ClassVar[Sequence[str]] = ()
    number_search_fields: ClassVar[Sequence[str]] = ()

    def with_more(self, rows: QuerySet[Any], found: QuerySet[Any], text: str) -> QuerySet[Any]:
        """Return the rows that the other search finds, and those with the text inside of a JSON column."""
        if not _TELLING.search(text):
            return found
        every, asked = rows.model._base_manager.all(), text.strip()
        masked, partly = masked_searches.masked_columns(rows.model), masked_searches.partly_masked(rows.model)
        legible = {column: ~hidden for column, hidden in partly.items()} | dict.fromkeys(masked, _NO_ROW)
        inside = self._inside(every, asked, lambda column: legible.get(column, Q()))
        also = Q(pk__in=inside.values("pk"))
        if hidden := partly | dict.fromkeys(masked, Q()):
            whole = self._inside(every, asked, lambda column: hidden.get(column, _NO_ROW), '"')
            masked_searches.note_if_found(whole, sorted(hidden), asked)
            also |= Q(pk__in=whole.values("pk"))
        return rows.filter(Q(pk__in=found.order_by().values("pk")) | also)

    def _inside(self, rows: QuerySet[Any], text: str, among: Callable[[str], Q], bound: str = "") -> QuerySet[Any]:
        """Return the rows with `text` in a column, `among` those of the column; between `bound` if it is not empty."""
        condition = _NO_ROW
        for form in _stored_forms(text):
            for column in self.json_search_fields:
                condition |= Q(**{f"{column}__icontains": f"{bound}{form}{bound}"}) & among(column)
        if number := _BETWEEN.sub("", text):
            for column in self.number_search_fields:
                rows = rows.alias(**{f"compact_{column}": _compact(column)})
                condition |= Q(**{f"compact_{column}__icontains": f"{bound}{number}{bound}"}) & among(column)
        return rows.filter(condition)


def _compact(column: str) -> Any:
    compact: Any = Cast(F(column), TextField())
    for sign in _SIGNS:
        compact = Replace(compact, Value(sign), Value(""), output_field=TextField())
    return compact


def _stored_forms(text: str) -> Iterable[str]:
    """Return `text` as the engine shows it inside of JSON: SQLite keeps letters beyond ASCII as escapes."""
    escaped = connection.vendor == "sqlite"
    forms = {text, text.lower(), text.upper()} if escaped else {text}
    written = {spelling for form in forms for spelling in spellings(form)}
    return {json.dumps(form, ensure_ascii=escaped)[1:-1] for form in written}
