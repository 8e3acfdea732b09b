"""Personal values in the answer to a request: noted as rows are read, and masked before the answer is sent.

`watch` is told of every model, and notes what is read of the columns that are masked (`milo.columns`), whoever reads
them: a page need not know which of its texts are personal. Values of documents, such as an annotation or a review, are
found by the names that the masked columns have in manifests. E-mail addresses are found by their form.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from html import escape
from typing import Any

from django.db import models

from milo.columns import Columns
from milo.email_addresses import IN_TEXT

MASK = "•••"
E_MAIL = "e-mail addresses"
AUTHOR = "user:"
"""What stands before the user name of an author, wherever it is recorded."""
# shorter ones are codes; replaced in a page, they would be found in other words
_SHORTEST = 5
_AROUND = ".,;:!?()[]<>'\""
"""What may stand before and after an address in a text."""
_documented: dict[str, tuple[str, tuple[str, ...]]] = {}
"""By the names of a masked column, its own and that in manifests: what it is called in records, and its codes."""


@dataclass(slots=True)
class Answer:
    """The personal values that were read for an answer, each with its columns, and the columns `found` in it.

    `hides` tells whether they are to be masked. `typed` is what the query of the request says, `sent` what its body
    says (`said`): both stay as they are, and so confirm what the person may have guessed, in the columns `confirmed`.
    Of that only what was `typed` is in `matched`: a body may hold passwords. `own` is of the person who asks. `names`
    are user names, which stay legible though many are addresses: they say who did something.
    """

    hides: Callable[[], bool]
    typed: Collection[str] = ()
    sent: Collection[str] = ()
    own: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    values: dict[str, set[str]] = field(default_factory=dict)
    found: set[str] = field(default_factory=set)
    confirmed: set[str] = field(default_factory=set)
    matched: set[str] = field(default_factory=set)

    def text(self, text: str) -> str:
        """Return a text of the answer, masked if it is to be."""
        hides = self.hides()
        for value in {*self.typed, *self.sent} & self.values.keys() - self.own - self.names:
            self.confirmed |= self.values[value]
            self.matched |= {value} & {*self.typed}
        for value in sorted(self.values, key=len, reverse=True):
            for written in {value, escape(value), json.dumps(value)[1:-1]}:
                if written in text and not self._stays(value):
                    masked, count = re.subn(rf"(?<!\w)(?<!{AUTHOR}){re.escape(written)}(?!\w)", MASK, text)
                    text = masked if hides else text
                    self.found |= self.values[value] if count else set()
        return _of_addresses(text, lambda address: self._address(address, hides))

    def _stays(self, value: str) -> bool:
        return value in self.typed or value in self.sent or value in self.own or value in self.names

    def _address(self, address: str, hides: bool) -> str:
        if self._stays(address):
            return address
        self.found |= self.values.get(address, {E_MAIL})
        return MASK if hides else address


_answer: ContextVar[Answer | None] = ContextVar("personal_values", default=None)


@contextmanager
def noted(answer: Answer) -> Iterator[Answer]:
    """Note in `answer` the personal values of all rows that are read inside."""
    token = _answer.set(answer)
    try:
        yield answer
    finally:
        _answer.reset(token)


def shown(text: str) -> str:
    """Return a text as the answer being made may show it."""
    answer = _answer.get()
    return answer.text(text) if answer else text


def hides() -> bool:
    """Return whether personal data are masked in the answer being made."""
    answer = _answer.get()
    return answer is not None and answer.hides()


def reveal(*columns: str) -> None:
    """Note that the answer being made has values of `columns` in a file, where they are not looked for."""
    if answer := _answer.get():
        answer.found.update(columns)


def confirm(what: str, value: str) -> None:
    """Note that the answer being made tells that `value`, which was searched for, is one of the column `what`."""
    if answer := _answer.get():
        answer.confirmed.add(what)
        answer.matched.add(value)


def said(texts: Iterable[str]) -> set[str]:
    """Return what the texts of a form say: each of them, and the lines and e-mail addresses in it."""
    # by words, since the search of `IN_TEXT` is quadratic in the length of one, and anybody may send a body
    return {part for text in texts for part in (text, *text.splitlines(), *_words_with_at(text))}


def _words_with_at(text: str) -> Iterator[str]:
    return (word.strip(_AROUND) for word in text.split() if "@" in word)


def say_again(texts: Iterable[str]) -> None:
    """Note that the person sent these texts with an earlier request: they stay as they are in the answer being made."""
    if answer := _answer.get():
        answer.sent = {*answer.sent, *said(texts)}


def note(text: str, what: str) -> None:
    """Note that `text`, which is of no personal column, may be somebody's personal data all the same."""
    _note(text, what, ())


def masked(value: Any) -> Any:
    """Return a document with the values of its masked columns, and e-mail addresses in its texts, replaced by masks.

    Columns are found by the names that they have in manifests, in documents that are texts inside of it, too.
    """
    if isinstance(value, dict):
        # a difference names its column beside the values before and after
        field = value.get("field")
        codes = _documented[field][1] if isinstance(field, str) and field in _documented else None
        return {key: _inside(key, inner, codes if key != "field" else None) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [masked(inner) for inner in value]
    if not isinstance(value, str):
        return value
    if value.startswith("{"):
        try:
            return json.dumps(masked(json.loads(value)), ensure_ascii=False)
        except ValueError:
            pass
    return _of_addresses(value, lambda address: MASK)


def tells(value: Any) -> bool:
    """Return whether a document has a value under one of the names of masked columns."""
    if isinstance(value, dict):
        return any(inner if key in _documented else tells(inner) for key, inner in value.items())
    return isinstance(value, list) and any(map(tells, value))


def _of_addresses(text: str, shown: Callable[[str], str]) -> str:
    """Return a text with its e-mail addresses as `shown` returns them, but for the names of authors."""

    def replaced(match: re.Match[str]) -> str:
        return match[0] if text.endswith(AUTHOR, 0, match.start()) else shown(match[0])

    return IN_TEXT.sub(replaced, text) if "@" in text else text


def _inside(key: str, value: Any, codes: Collection[str] | None) -> Any:
    if codes is None and key not in _documented:
        return masked(value)
    return _hidden(value, _documented[key][1] if codes is None else codes)


def _hidden(value: Any, codes: Collection[str]) -> Any:
    if isinstance(value, dict):
        return {key: inner if key in codes else _hidden(inner, codes) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(inner, codes) for inner in value]
    return MASK if value and isinstance(value, str) else value


def watch(model: type[models.Model], columns: Columns, *copies: type[models.Model]) -> None:
    """Note what is read of the personal columns of `model`, and of the models `copies` with the same columns."""
    names: dict[str, str] = getattr(model, "manifest_paths", {})
    for column in columns.masked:
        what = f"{model._meta.model_name}.{column}"
        _documented[names.get(column, column).rpartition(".")[2]] = _documented[column] = (what, columns.codes)
        for each in (model, *copies):
            _note_reads(each, column, partial(_note, what=what, codes=columns.codes))
    for column, key in columns.keys:
        _documented.setdefault(key, (f"{model._meta.model_name}.{column}", ()))
    for column in {*columns.texts, *(column for column, _key in columns.keys)}:
        for each in (model, *copies):
            if isinstance(each._meta.get_field(column), models.JSONField):
                _note_reads(each, column, _note_document)


def watch_names(model: type[models.Model], column: str) -> None:
    """Note what is read of a column with user names, which stay legible."""
    _note_reads(model, column, _note_name)


def _note_name(name: str) -> None:
    if answer := _answer.get():
        answer.names.add(name)


def _note_reads(model: type[models.Model], column: str, note: Callable[[Any], None]) -> None:
    read: Any = model._meta.get_field(column)
    converted = getattr(read, "from_db_value", None)

    def from_db_value(value: Any, expression: Any, connection: Any) -> Any:
        value = converted(value, expression, connection) if converted else value
        if value and _answer.get() is not None:
            note(value)
        return value

    read.from_db_value = from_db_value


def _note(value: Any, what: str, codes: Collection[str]) -> None:
    if isinstance(value, dict):
        value = [inner for key, inner in value.items() if key not in codes]
    if isinstance(value, list):
        for inner in value:
            _note(inner, what, codes)
    elif isinstance(value, str) and len(value) >= _SHORTEST and (answer := _answer.get()):
        answer.values.setdefault(value, set()).add(what)


def _note_document(value: Any) -> None:
    """Note the personal values of a document, and of documents that are texts inside of it."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = json.loads(value)
        except ValueError:
            return
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in _documented:
                _note(inner, *_documented[key])
            else:
                _note_document(inner)
    elif isinstance(value, list):
        for inner in value:
            _note_document(inner)
