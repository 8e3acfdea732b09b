"""Card numbers are never accepted, nowhere (compliance.md, "Card numbers")."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _

from milo.errors import Cause

_ZERO_WIDTH = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad\u180e"))
_RUN = re.compile(r"\d+(?:[ .\-_/]\d+)*")


def _luhn(digits: str) -> bool:
    doubled = (sum(divmod(2 * int(d), 10)) for d in digits[-2::-2])
    return (sum(int(d) for d in digits[-1::-2]) + sum(doubled)) % 10 == 0


def _candidates(run: str) -> Iterator[str]:
    """Every stretch of whole groups of `run` that has 13 to 19 digits, so that a neighbour number hides none."""
    groups = re.split(r"\D", run)
    for first in range(len(groups)):
        digits = ""
        for group in groups[first:]:
            digits += group
            if len(digits) > 19:
                break
            if len(digits) >= 13:
                yield digits


def found_in(text: str) -> bool:
    """Whether `text` holds a run of 13 to 19 digits, single separators allowed, that passes the Luhn check."""
    plain = unicodedata.normalize("NFKC", text).translate(_ZERO_WIDTH)
    return any(_luhn(digits) for run in _RUN.findall(plain) for digits in _candidates(run))


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield path, str(key)
            yield from _texts(item, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _texts(item, f"{path}[{index}]")


def causes(value: Any, path: str) -> list[Cause]:
    """A cause for each text inside `value` (text, list or dict) that holds a card number, which is not repeated."""
    message = _("looks like a card number; give a token reference of the payment provider instead")
    hits = {where for where, text in _texts(value, path) if found_in(text)}
    # a key that is itself a card number must not come back inside the path
    return [Cause(where if not found_in(where) else path, message) for where in sorted(hits)]
