"""Indexes of the words of texts on PostgreSQL, by which rows are found by how words begin.

They need no extension. On SQLite there are none, and a search reads the table.
"""

from collections.abc import Sequence
from typing import Any

from django.db import models
from django.db.models import BooleanField, Func, JSONField, Q, TextField
from django.db.models.sql.compiler import SQLCompiler

from milo.gin_indexes import GinIndex
from milo.letter_case import spellings

SIGNS = "-_./@:+&#=?~<>"
"""They separate words; PostgreSQL would read them as parts of compound words, numbers, addresses, paths and tags."""
_of_libraries: dict[type[models.Model], "WordIndex"] = {}


class _Words(Func):
    """The words of some columns: letters and digits, with anything else between them."""

    output_field = TextField()

    def as_sql(self, compiler: SQLCompiler, connection: Any, *_arguments: Any, **_context: Any) -> Any:
        texts = []
        for source in self.get_source_expressions():
            sql, _parameters = compiler.compile(source)
            texts.append(f"coalesce({sql}::text, '')" if isinstance(source.output_field, JSONField) else sql)
        text = " || ' ' || ".join(texts)
        return f"to_tsvector('simple', translate({text}, '{SIGNS}', '{' ' * len(SIGNS)}'))", []


class HasWords(Func):
    """Whether words of `fields` begin with each of `beginnings` and are each of `whole`, all of letters and digits.

    Whole words are found faster: of a beginning, each row that has one is read from the index.
    """

    output_field = BooleanField()
    conditional = True

    def __init__(self, fields: Sequence[str], beginnings: Sequence[str], whole: Sequence[str] = ()) -> None:
        super().__init__(_Words(*fields))
        words = [*whole, *beginnings]
        # part of the statement: for any parameter PostgreSQL would plan to read the table
        assert words
        assert all(map(str.isalnum, words))
        self.query = " & ".join([*map(_spelled, whole), *(_spelled(word, ":*") for word in beginnings)])

    def as_sql(self, compiler: SQLCompiler, connection: Any, *_arguments: Any, **_context: Any) -> Any:
        sql, parameters = compiler.compile(self.get_source_expressions()[0])
        return f"({sql} @@ to_tsquery('simple', '{self.query}'))", parameters


def _spelled(word: str, ending: str = "") -> str:
    return f"({' | '.join(f'{spelling}{ending}' for spelling in spellings(word))})"


class WordIndex(GinIndex):
    """An index of the words of texts that are never NULL, or of JSON."""

    def __init__(self, *, words: Sequence[str], name: str) -> None:
        super().__init__(_Words(*words), name=name)
        self.words = list(words)

    def in_its_place(self) -> models.Index:
        # hardly a row is without the first of its texts
        first = self.words[0]
        return models.Index(fields=[first], name=self.name, condition=Q(**{first: ""}))

    def deconstruct(self) -> Any:
        path, _arguments, _options = super().deconstruct()
        return path, (), {"words": self.words, "name": self.name}


def declare(model: type[models.Model], index: WordIndex) -> None:
    """Declare the index of the words of a model of a library, which a migration of ours has made."""
    _of_libraries[model] = index


def word_index(model: type[models.Model]) -> WordIndex | None:
    """Return the index of the words of a model, if it has one."""
    own = (index for index in model._meta.indexes if isinstance(index, WordIndex))
    return next(own, _of_libraries.get(model))
