"""CSV (RFC 4180) for spreadsheets, with texts of customers in it that must never run as formulas.

https://owasp.org/www-community/attacks/CSV_Injection
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from django.http import HttpResponse

CSV = "text/csv"
# signs that begin a formula, and those that an input method or a spreadsheet treats alike
_SIGNS = "=+@\\-\u2212\u207a-\u207c\u208a-\u208c\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20"
# white space, control characters and invisible ones, such as the byte-order mark
_BLANK = (
    "\\s\\x00-\\x1f\\x7f-\\x9f\\xad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0"
)
# with the list separator semicolon or tabulator, a spreadsheet begins a cell after it even inside quotes
_FORMULA = re.compile(f"(^|[;\\t\\r\\n])(?=[{_BLANK}]*[{_SIGNS}])")
_LED_BY_CONTROL = re.compile(r"[\t\r\n]")
_NUMBER = re.compile(r"-[0-9]+(\.[0-9]+)?", re.ASCII)
_NEEDS_QUOTES = re.compile(f"[,;\"'|]|[\\x00-\\x1f\\x7f-\\x9f\u2028\u2029\ufeff]|^[{_BLANK}{_SIGNS}]|\\s$")


def csv_text(rows: Iterable[Sequence[Any]]) -> str:
    """Return the rows as CSV.

    A text that a spreadsheet could split is quoted. A formula that is no number gets an apostrophe in front, and so
    does one after a semicolon, a tabulator or a line break inside a text.
    """
    return "".join(",".join(map(_cell, row)) + "\r\n" for row in rows)


def respond_csv(rows: Iterable[Sequence[Any]], name: str) -> HttpResponse:
    """Return a response with the rows as a CSV file; `name` is without suffix."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return HttpResponse(csv_text(rows), content_type=f"{CSV}; charset=utf-8", headers=headers)


def harmless(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: with an apostrophe in front of what would begin one."""
    if _NUMBER.fullmatch(text):
        return text
    if _LED_BY_CONTROL.match(text) and not _FORMULA.match(text):
        text = f"'{text}"
    return _FORMULA.sub(r"\1'", text)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = str(value)
    if not isinstance(value, str) or _NUMBER.fullmatch(text):
        return text
    text = harmless(text)
    return '"' + text.replace('"', '""') + '"' if _NEEDS_QUOTES.search(text) else text
