"""Texts of services that were stored in the language of the ledger, told in that of the reader.

A stored text is found again by its form: the message id, with the values in it. What people typed stays as it is. The
texts of services are those of the catalogs that are no sentences: they begin small and end without a full stop.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

from babel.messages.mofile import read_mo
from django.apps import apps
from django.utils.functional import Promise
from django.utils.translation import get_language, override

from milo.admin.panels import number_text

# a text begins and ends a message, or a part of it; before it there may be the path of a field
_BEGIN = r"(^|[;:] |\b(?:metadata|reviewed|spec|status)\.\S+ )"
# behind it a remark in parentheses may stand; those inside of a value do not end it
_END = r"(?=[;:] | \([^()]*\)(?:[;:] |$)|$)"
_VALUE = re.compile(r"%\((\w+)\)([sd])", re.ASCII)
_WORD, _WORDS = r"[^\s;:]+", "(?:(?![;:] ).)+?"
# shorter ones may be words of a person; applications register those of theirs
_LEAST_WORDS = 3
_registered: dict[str, Promise] = {}
_labels: dict[str, Mapping[str, str | Promise]] = {}


class _Text(NamedTuple):
    stored: str
    told: str
    literal: str
    """The longest part without values, by which a text is ruled out quickly."""


def register_texts(
    texts: Iterable[Promise], *, instead: Mapping[str, Promise], labels: Mapping[str, Mapping[str, str | Promise]]
) -> None:
    """Register stored texts with single words as values; `instead` are other words, for people, of stored texts.

    `labels` are those of the codes that a value may be, by its name: `{"phase": {"Ready": ...}}`.
    """
    with override(None):
        _registered.update({str(text): text for text in texts})
    _registered.update(instead)
    _labels.update(labels)


def in_their_language(message: str) -> str:
    """Return a stored message with the texts of services inside it in the language of the reader."""
    for text in _texts(get_language() or ""):
        if text.literal in message:
            message = _pattern(text.stored).sub(lambda said: _tell(text, said), message)  # noqa: B023  # at once
    return message


@cache
def _texts(language: str) -> list[_Text]:
    """Return the texts that differ in a language, longer ones first, since they may hold shorter ones."""
    told: dict[str, str] = {}
    for application in apps.get_app_configs():
        catalog = Path(application.path, "locale", language, "LC_MESSAGES", "django.mo")
        if catalog.exists():
            with catalog.open("rb") as file:
                told |= {text.id: str(text.string) for text in read_mo(file) if _is_of_services(text.id)}
    told |= {stored: str(words) for stored, words in _registered.items()}
    texts = [
        _Text(stored, words, max(_VALUE.sub("\0", stored).split("\0"), key=len).replace("%%", "%"))
        for stored, words in told.items()
        if words and words != stored
    ]
    return sorted(texts, key=lambda text: -len(_VALUE.sub("", text.stored)))


def _is_of_services(text: Any) -> TypeGuard[str]:
    if not isinstance(text, str) or text[:1].isupper() or text.endswith((".", ":")):
        return False
    return len(re.findall(r"\w+", _VALUE.sub(" ", text), re.ASCII)) >= _LEAST_WORDS


@cache
def _pattern(text: str) -> re.Pattern[str]:
    head, *places = _VALUE.split(text.replace("%%", "%"))
    parts = [
        _group(text in _registered, name, kind) + re.escape(behind)
        for name, kind, behind in zip(places[::3], places[1::3], places[2::3], strict=True)
    ]
    # a value ends where the words behind it are first: the time stays linear whatever a person typed
    values = "".join([f"(?>{part})" for part in parts[:-1]] + parts[-1:])
    return re.compile(f"{_BEGIN}{re.escape(head)}{values}{_END}")


def _group(registered: bool, name: str, kind: str) -> str:
    if kind == "d":
        return f"(?P<{name}>[0-9]+)"
    if registered:
        return f"(?P<{name}>{'|'.join(_labels.get(name, ())) or _WORD})"
    return f"(?P<{name}>{_WORDS})"


def _tell(text: _Text, said: re.Match[str]) -> str:
    kinds, values = dict(_VALUE.findall(text.stored)), said.groupdict()
    words = {name: _in_words(name, kinds[name], value) for name, value in values.items()}
    return said[1] + (_VALUE.sub(r"%(\1)s", text.told) % words if words else text.told)


def _in_words(name: str, kind: str, value: str) -> str:
    return number_text(int(value)) if kind == "d" else str(_labels.get(name, {}).get(value, value))
