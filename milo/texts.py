"""Walk over the texts inside a value, and refuse texts that a database cannot store, or that nobody sees."""

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

from django.utils.translation import gettext as _

from milo.errors import Cause

# PostgreSQL stores no NUL in text or jsonb, and neither engine a lone surrogate
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# letters, marks and symbols that are drawn as nothing:
# https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt
INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_SEEN = "LNPS"
"""Categories of Unicode whose characters are seen by themselves: letters, numbers, punctuation and symbols."""


def is_unseen(text: str) -> bool:
    """Return whether a text holds characters other than blanks, and none that can be seen."""
    return bool(text.strip()) and not any(
        unicodedata.category(letter)[0] in _SEEN and not INVISIBLE.match(letter) for letter in text
    )


def _inside(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield path, str(key)
            yield from _inside(item, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _inside(item, f"{path}[{index}]")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, str(value)


def paths(value: Any, path: str, bad: Callable[[str], bool]) -> list[str]:
    """Return the path of each text or number inside `value` (text, list or dict, itself at `path`) that is `bad`.

    A bad key is never part of a returned path; the path of its object is returned instead.
    """
    hits = {where for where, text in _inside(value, path) if bad(text)}
    return sorted({path if bad(where) else where for where in hits})


def causes(value: Any, path: str, limit: int | None = None) -> list[Cause]:
    """Return a cause for each text inside `value` that cannot be stored, or that has only characters that nobody sees,
    and for a text over `limit` characters.

    SQLite would accept what PostgreSQL refuses; the two must not differ.
    """
    found = [
        Cause(where, _("holds a character that cannot be stored"))
        for where in paths(value, path, lambda text: bool(_UNSTORABLE.search(text)))
    ]
    found += [
        Cause(where, _("has nothing that can be seen"))
        for where in paths(value, path, lambda text: is_unseen(text) and not _UNSTORABLE.search(text))
    ]
    if limit is not None and isinstance(value, str) and len(value) > limit:
        message = _("may have at most %(limit)d characters") % {"limit": limit}
        found.append(Cause(path, message, "FieldValueTooLong"))
    return found
