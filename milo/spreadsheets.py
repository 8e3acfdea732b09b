"""CSV (RFC 4180) that finance opens in a spreadsheet: customers write texts in it, and none of them may be run.

https://owasp.org/www-community/attacks/CSV_Injection
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from django.http import HttpResponse

CSV = "text/csv"
# the signs with which a formula begins, and those that an input method or a spreadsheet takes for them
_SIGNS = "=+@\\-\u2212\u207a-\u207c\u208a-\u208c\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20"
# white space, control characters and what nobody sees, the byte-order mark among it
_BLANK = (
    "\\s\\x00-\\x1f\\x7f-\\x9f\\xad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0"
)
# a spreadsheet whose list separator is the semicolon or the tabulator begins a cell after it, whatever is quoted
_FORMULA = re.compile(f"(^|[;\\t\\r\\n])(?=[{_BLANK}]*[{_SIGNS}])")
_LED_BY_CONTROL = re.compile(r"[\t\r\n]")
_NUMBER = re.compile(r"-[0-9]+(\.[0-9]+)?", re.ASCII)
_NEEDS_QUOTES = re.compile(f"[,;\"'|]|[\\x00-\\x1f\\x7f-\\x9f\u2028\u2029\ufeff]|^[{_BLANK}{_SIGNS}]|\\s$")


def csv_text(rows: Iterable[Sequence[Any]]) -> str:
    """Return the rows as CSV.

    A text that a spreadsheet could split is in quotes. One that it would take for a formula, and that is no number, has
    an apostrophe before it; so has what follows a semicolon, a tabulator or the end of a line in a text.
    """
    return "".join(",".join(map(_cell, row)) + "\r\n" for row in rows)


def respond_csv(rows: Iterable[Sequence[Any]], name: str) -> HttpResponse:
    """Return the answer with the rows as a CSV file of that name."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return HttpResponse(csv_text(rows), content_type=f"{CSV}; charset=utf-8", headers=headers)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = str(value)
    if not isinstance(value, str) or _NUMBER.fullmatch(text):
        return text
    if _LED_BY_CONTROL.match(text) and not _FORMULA.match(text):
        text = f"'{text}"
    text = _FORMULA.sub(r"\1'", text)
    return '"' + text.replace('"', '""') + '"' if _NEEDS_QUOTES.search(text) else text
