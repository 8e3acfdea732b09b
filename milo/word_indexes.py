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

# signs that PostgreSQL would read as parts of words: of compound words, numbers, addresses, paths and tags
_SIGNS = "-_./@:+&#=?~<>"


class _Words(Func):
    """The words of some columns: letters and digits, with anything else between them."""

    output_field = TextField()

    def as_sql(self, compiler: SQLCompiler, connection: Any, *_arguments: Any, **_context: Any) -> Any:
        texts = []
        for source in self.get_source_expressions():
            sql, _parameters = compiler.compile(source)
            texts.append(f"coalesce({sql}::text, '')" if isinstance(source.output_field, JSONField) else sql)
        text = " || ' ' || ".join(texts)
        return f"to_tsvector('simple', translate({text}, '{_SIGNS}', '{' ' * len(_SIGNS)}'))", []


class HasWords(Func):
    """Whether one of the words of `fields` begins with each of `words`, which are of letters and digits."""

    output_field = BooleanField()
    conditional = True

    def __init__(self, fields: Sequence[str], words: Sequence[str]) -> None:
        super().__init__(_Words(*fields))
        # part of the statement: for any parameter PostgreSQL would plan to read the table
        assert words
        assert all(map(str.isalnum, words))
        self.query = " & ".join(f"({' | '.join(f'{spelling}:*' for spelling in spellings(word))})" for word in words)

    def as_sql(self, compiler: SQLCompiler, connection: Any, *_arguments: Any, **_context: Any) -> Any:
        sql, parameters = compiler.compile(self.get_source_expressions()[0])
        return f"({sql} @@ to_tsquery('simple', '{self.query}'))", parameters


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


def word_index(model: type[models.Model]) -> WordIndex | None:
    """Return the index of the words of a model, if it has one."""
    return next((index for index in model._meta.indexes if isinstance(index, WordIndex)), None)
