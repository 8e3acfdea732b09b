"""Case-insensitive search: of letters beyond ASCII on SQLite, whose own LIKE folds no others; of ß on both engines."""

import re
from functools import lru_cache
from itertools import product
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.dispatch import receiver

_SHARP_S = re.compile("(ss|[ß\u1e9e])", re.IGNORECASE)
_LETTERS = ("ss", "ß", "\u1e9e")
_PLACES = 4
"""Places of a text that are spelled each in its own way: 81 texts. Later ones are spelled like the last of them."""


def spellings(text: str) -> list[str]:
    """Return `text`, and how it is written with ss, ß or its capital at each place: `Größe` is `GRÖSSE` in capitals.

    A word may hold both, such as `Schlossstraße`. No engine folds one into the other.
    """
    parts = _SHARP_S.split(text)
    between, places = parts[::2], len(parts) // 2
    found = {text: None}
    for letters in product(_LETTERS, repeat=min(places, _PLACES)):
        each = [*letters, *letters[-1:] * (places - len(letters)), ""]
        found["".join(part + letter for part, letter in zip(between, each, strict=True))] = None
    return list(found)


def fold(text: str) -> str:
    """Return `text` in capitals, letter by letter like PostgreSQL's UPPER: a letter with two capitals (ß) stays."""
    if text.isascii():
        return text.upper()
    return "".join(upper if len(upper := letter.upper()) == 1 else letter for letter in text)


def like(pattern: str | None, text: Any, escape: str) -> bool | None:
    """Evaluate SQL's `text LIKE pattern ESCAPE escape` regardless of case. Return None if either is NULL."""
    if pattern is None or text is None:
        return None
    return _compiled(pattern, escape).fullmatch(fold(str(text))) is not None


@lru_cache(256)
def _compiled(pattern: str, escape: str) -> re.Pattern[str]:
    parts, letters = [], iter(pattern)
    for letter in letters:
        if letter == escape:
            parts.append(re.escape(fold(next(letters, ""))))
        else:
            parts.append({"%": ".*", "_": "."}.get(letter) or re.escape(fold(letter)))
    return re.compile("".join(parts), re.DOTALL)


@receiver(connection_created)
def teach_sqlite(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Replace SQLite's LIKE ... ESCAPE, which Django uses for every search."""
    if connection.vendor == "sqlite":
        connection.connection.create_function("like", 3, like, deterministic=True)
