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
        masked = masked_searches.masked_columns(rows.model)
        inside = self._inside(every, asked, lambda column: column not in masked)
        whole = self._inside(every, asked, masked.__contains__, '"')
        if masked:
            masked_searches.note_if_found(whole, sorted(masked), asked)
        also = Q(pk__in=inside.values("pk")) | (Q(pk__in=whole.values("pk")) if masked else Q())
        return rows.filter(Q(pk__in=found.order_by().values("pk")) | also)

    def _inside(self, rows: QuerySet[Any], text: str, counts: Callable[[str], bool], bound: str = "") -> QuerySet[Any]:
        """Return the rows with `text` in one of the columns that count, between two of `bound` if that is not empty."""
        condition = Q(pk__in=[])
        for form in _stored_forms(text):
            for column in filter(counts, self.json_search_fields):
                condition |= Q(**{f"{column}__icontains": f"{bound}{form}{bound}"})
        if number := _BETWEEN.sub("", text):
            for column in filter(counts, self.number_search_fields):
                rows = rows.alias(**{f"compact_{column}": _compact(column)})
                condition |= Q(**{f"compact_{column}__icontains": f"{bound}{number}{bound}"})
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
