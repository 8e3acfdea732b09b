"""Export of a list as it is filtered, as CSV or XLSX. Each export is recorded: who, which list, which filter."""

import re
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from html import unescape
from typing import IO, Any, ClassVar
from urllib.parse import unquote_plus

from django.contrib import messages
from django.contrib.admin.models import LogEntry
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import label_for_field, lookup_field
from django.contrib.admin.views.main import SEARCH_VAR
from django.contrib.contenttypes.models import ContentType
from django.core.handlers.asgi import ASGIRequest
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods
from import_export.admin import ExportMixin
from import_export.formats.base_formats import CSV, XLSX
from import_export.resources import Resource
from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from unfold.contrib.import_export.forms import ExportForm
from unfold.enums import ActionVariant

from milo import card_numbers, personal
from milo.spreadsheets import csv_text, harmless, respond_csv

# a sheet has 1,048,576 rows, one of them the head
MOST_ROWS = 1_048_575
# beyond Django's own flags of additions, changes and deletions
EXPORTED = 4
_CHUNK, _AT_ONCE = 65_536, 2000
# what pages show by a label or in the person's zone has its code, or UTC in ISO 8601, as title
_TITLED = re.compile(r'<(time|data) [^>]*title="([^"]*)">.*?</\1>')


@dataclass(frozen=True, slots=True)
class _Column:
    column_name: str


class ListResource(Resource):
    """The rows of a list: a column for each of `export_display`, with the values as text, number or date."""

    def __init__(self, model_admin: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model_admin = model_admin
        self.columns = model_admin.export_display or model_admin.list_display

    @classmethod
    def get_display_name(cls) -> str:
        return ""

    def get_export_headers(self, selected_fields: Any = None) -> list[str]:
        titles = (label_for_field(name, self.model_admin.model, self.model_admin) for name in self.columns)
        return [capfirst(str(title)) for title in titles]

    def get_user_visible_fields(self) -> list[_Column]:
        return [_Column(title) for title in self.get_export_headers()]

    def export_resource(self, instance: Any, selected_fields: Any = None, **kwargs: Any) -> list[Any]:
        return [cell_value(lookup_field(name, instance, self.model_admin)[2]) for name in self.columns]

    def rows(self, rows: QuerySet[Any]) -> Iterator[list[Any]]:
        """Yield the head and each row, in constant memory."""
        yield self.get_export_headers()
        for row in rows.iterator(chunk_size=_AT_ONCE):
            yield [personal.shown(value) if isinstance(value, str) else value for value in self.export_resource(row)]


def cell_value(value: Any) -> Any:
    """Return what a page shows as the value of a cell: HTML as its text on one line, codes instead of labels.

    The dash of a page for "nothing" is an empty cell.
    """
    if value == "-":
        return None
    if value is None or (isinstance(value, int | Decimal) and not isinstance(value, bool)):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, SafeString):
        text = _TITLED.sub(r"\2", value)
        return " ".join(unescape(strip_tags(text.replace("<br>", "; "))).split())
    return value if hasattr(value, "isoformat") else str(value)


class ListExportForm(ExportForm):
    """The format. What is exported is what the list shows."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["format"]
        field.choices = [(value, title) for value, title in field.choices if value]
        field.help_text = _("What the list shows, as it is filtered. Who exports what is recorded.")


class ListExport(ExportMixin):
    """Mixin for read-only admins: the page `export/` of a list. Whoever may see the list may export it."""

    export_display: ClassVar[Sequence[str]] = ()

    import_export_change_list_template = None
    export_form_class = ListExportForm
    formats = [CSV, XLSX]
    resource_classes = [ListResource]

    def get_export_resource_kwargs(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        return {"model_admin": self}

    def has_export_permission(self: Any, request: HttpRequest) -> bool:
        return bool(self.has_view_permission(request))

    def export_action(self: Any, request: HttpRequest) -> Any:
        """Show the form, or send the file. A filter that the list refuses leads back to the list."""
        if "\0" in request.GET.get(SEARCH_VAR, ""):
            # Django says so in a message, which only the list shows
            return HttpResponseRedirect(f"{self.list_address()}?{request.GET.urlencode()}")
        try:
            return require_http_methods(["GET", "HEAD", "POST"])(super().export_action)(request)
        except IncorrectLookupParameters:
            return HttpResponseRedirect(f"{self.list_address()}?e=1")

    def _do_file_export(
        self: Any, file_format: Any, request: HttpRequest, queryset: QuerySet[Any], export_form: Any = None
    ) -> HttpResponseBase:
        if queryset[MOST_ROWS : MOST_ROWS + 1].exists():
            messages.error(request, _("A file has at most %(rows)d rows: filter the list.") % {"rows": MOST_ROWS})
            return HttpResponseRedirect(request.get_full_path())
        rows = ListResource(self).rows(queryset)
        # closed when it has been sent
        file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        with timezone.override(UTC):
            number = (write_xlsx if isinstance(file_format, XLSX) else write_csv)(rows, file)
        title = str(self.opts.verbose_name_plural)
        query = request.GET.urlencode()
        record_export(request, self.model, title, f"{file_format.get_extension()}, {number} rows", query)
        name = self.get_export_filename(request, queryset, file_format)
        return send(request, file, name, file_format.get_content_type())

    def export_button(self: Any, request: HttpRequest) -> dict[str, Any]:
        """Return the button above the list, in the form that unfold expects. It keeps the filter."""
        page = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_export")
        query = request.GET.urlencode()
        address = f"{page}?{query}" if query else page
        return {"title": _("Export"), "icon": "download", "variant": ActionVariant.DEFAULT, "path": address}


def record_export(request: HttpRequest, model: Any, title: str, what: str, query: str) -> LogEntry:
    """Record who exported the list `title`, `what` of it, and by which filter (a query string)."""
    person: Any = request.user
    # an ampersand inside a value stays quoted, so that the value has an end
    legible = unquote_plus(query.replace("%26", "%2526"))
    filtered = f"filtered by {card_numbers.masked(legible)}" if query else "not filtered"
    return LogEntry.objects.create(
        user_id=person.pk,
        content_type=ContentType.objects.get_for_model(model),
        object_repr=title[:200],
        action_flag=EXPORTED,
        change_message=f"ListExported: {what}, {filtered}",
    )


def respond_recorded(request: HttpRequest, model: Any, rows: Iterable[Sequence[Any]], name: str) -> HttpResponse:
    """Return rows, the first of which is the head, as the CSV file `name` (without suffix), recorded as an export."""
    lines = list(rows)
    record_export(request, model, name, f"csv, {len(lines) - 1} rows", request.GET.urlencode())
    return respond_csv(lines, name)


def write_csv(rows: Iterable[list[Any]], file: IO[bytes]) -> int:
    """Write rows, the first of which is the head, as CSV. Return how many there are below it."""
    number = -1
    for row in rows:
        file.write(csv_text([row]).encode())
        number += 1
    return number


def write_xlsx(rows: Iterable[list[Any]], file: IO[bytes]) -> int:
    """Write rows, the first of which is the head, as a sheet. Return how many there are below it."""
    book, number = Workbook(write_only=True), -1
    sheet = book.create_sheet()
    for row in rows:
        sheet.append([_sheet_cell(value) for value in row])
        number += 1
    book.save(file)
    return number


def _sheet_cell(value: Any) -> Any:
    return harmless(ILLEGAL_CHARACTERS_RE.sub("", value)) if isinstance(value, str) else value


def send(request: HttpRequest, file: IO[bytes], name: str, content_type: str) -> StreamingHttpResponse:
    """Return a response that streams `file`, and closes it afterwards, as a file to be saved as `name`."""
    file.seek(0)
    # Django reads an ordinary iterator to its end before it sends the first byte under ASGI
    content = _in_chunks_async(file) if isinstance(request, ASGIRequest) else _in_chunks(file)
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(content, content_type=content_type, headers=headers)


def _in_chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK):
            yield chunk


async def _in_chunks_async(file: IO[bytes]) -> AsyncIterator[bytes]:
    for chunk in _in_chunks(file):
        yield chunk
