"""Search of long lists: rows are found by how words begin, by the indexes of the words of their texts.

A part of a word has no index: each search for one would read the whole table.
"""

import re
from collections.abc import Iterator, Sequence
from functools import reduce
from operator import or_
from typing import Any

from django.db import connection, transaction
from django.db.models import Model, Q, QuerySet, UUIDField

from milo.admin import estimates, masked_searches, searches
from milo.admin.plans import number_up_to, planned_for_their_values
from milo.word_indexes import SIGNS, HasWords, WordIndex, word_index

SHORT = 10_000
"""A list of at most this many rows is searched for any part of a word."""
MOST = 1_001
"""So many rows are looked for in each field: one more than lists count."""
# a word of letters and digits, and the sign behind it
_WORD = re.compile(rf"([^\W_]+)([{re.escape(SIGNS)}]?)")


def applies(rows: QuerySet[Any], paths: Sequence[str]) -> bool:
    """Return whether `rows` are more than a few, and the fields `paths` have indexes of words.

    Filtered rows of a long table are counted, which takes one query.
    """
    if connection.vendor != "postgresql" or not _has_words(rows.model, paths):
        return False
    return estimates.of_tables().get(rows.model._meta.db_table, 0) > SHORT and (not rows.query.where or _is_long(rows))


def keys(rows: QuerySet[Any], paths: Sequence[str], words: Sequence[str]) -> list[Any]:
    """Return the primary keys of what is `found`, for each field up to `MOST`."""
    # PostgreSQL expects thousands of rows of any beginning, and starts processes that take longer than finding the few
    with planned_for_their_values(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL max_parallel_workers_per_gather = 0")
        return list(found(rows, paths, words, MOST))


def found(rows: QuerySet[Any], paths: Sequence[str], words: Sequence[str], most: int | None) -> QuerySet[Any]:
    """Return the primary keys of those of `rows` whose own texts have words that begin with all `words`, and of those
    of which one of the fields `paths` has the rarest of them, and any field contains the others.

    At most so many are looked for by each field, unless `most` is None.
    """
    # numbers are rarer than names, and long words than short ones
    rarest = max(words, key=lambda word: (any(map(str.isdigit, word)), len(word)))
    others = [word for word in words if word != rarest]
    parts = [*_by_own_words(rows, rarest, most), *_by_fields(rows, paths, rarest, most)]
    for word in others:
        condition = searches.condition(rows.model, paths, word)
        parts = [_keys(rows.model._base_manager.filter(condition, pk__in=part), None) for part in parts]
    together = [word for word, _sign in _WORD.findall(" ".join(words))]
    if len(together) > 1:
        # as they are, and as one: numbers are typed in groups
        texts = [" ".join(words)] if others else []
        parts += [part for text in (*texts, "".join(together)) for part in _by_own_words(rows, text, most)]
    if not parts:
        return _keys(rows.none(), most)
    return parts[0].union(*parts[1:]) if parts[1:] else parts[0]


def _has_words(model: type[Model], paths: Sequence[str]) -> bool:
    own = [path for path in paths if "__" not in path and not _is_uid(model, path)]
    if len(own) == len(paths) and all(_is_unique(model, path) for path in own):
        return True
    index = word_index(model)
    if own and not (index and set(own) <= set(index.words)):
        return False
    others = (path.partition("__") for path in paths if "__" in path)
    return all(_has_words(_related(model, name), [rest]) for name, _separator, rest in others)


def _is_uid(model: type[Model], name: str) -> bool:
    return isinstance(model._meta.get_field(name), UUIDField)


def _is_unique(model: type[Model], name: str) -> bool:
    return bool(getattr(model._meta.get_field(name), "unique", False))


def _related(model: type[Model], name: str) -> type[Model]:
    related: Any = model._meta.get_field(name).related_model
    return related


def _is_long(rows: QuerySet[Any]) -> bool:
    return number_up_to(rows, SHORT + 1) > SHORT


def _by_own_words(rows: QuerySet[Any], text: str, most: int | None) -> Iterator[QuerySet[Any]]:
    index, words = word_index(rows.model), _WORD.findall(text)
    if index and words:
        # what stands before a sign was typed to its end
        whole = [word for word, sign in words if sign]
        beginnings = [word for word, sign in words if not sign]
        found = rows.filter(HasWords(index.words, beginnings, whole))
        yield _keys(_readable(found, index, beginnings, whole, text), most)


def _readable(
    found: QuerySet[Any], index: WordIndex, beginnings: Sequence[str], whole_words: Sequence[str], text: str
) -> QuerySet[Any]:
    """Return those of the rows that have the words in columns that are not masked, or `text` as a whole masked value.

    The latter is noted.
    """
    hidden = masked_searches.masked_columns(found.model)
    masked = [name for name in index.words if name in hidden]
    partly = {name: rows for name, rows in masked_searches.partly_masked(found.model).items() if name in index.words}
    if not masked and not partly:
        return found
    readable = masked_searches.whole_value(found, masked, text)
    for name, rows in partly.items():
        readable |= masked_searches.whole_value(found.filter(rows), [name], text) & rows
    legible = [name for name in index.words if name not in masked]
    always = [name for name in legible if name not in partly]
    if always:
        readable |= Q(HasWords(always, beginnings, whole_words))
    if partly:
        readable |= Q(HasWords(legible, beginnings, whole_words)) & ~reduce(or_, partly.values())
    return found.filter(readable)


def _by_fields(rows: QuerySet[Any], paths: Sequence[str], word: str, most: int | None) -> Iterator[QuerySet[Any]]:
    for path in paths:
        name, _separator, rest = path.partition("__")
        if not rest and _is_uid(rows.model, name):
            yield _keys(rows.filter(searches.condition(rows.model, [name], word)), most)
        elif rest:
            related = _related(rows.model, name)
            for keys in _of_related(related, rest, word, most):
                yield _keys(rows.filter(**{f"{name}__in": keys}), most)


def _of_related(model: type[Model], path: str, word: str, most: int | None) -> Iterator[QuerySet[Any]]:
    if word_index(model):
        yield from _by_own_words(model._base_manager.filter(searches.condition(model, [path], word)), word, most)
    else:
        # the index of a unique text serves its beginning too
        yield _keys(model._base_manager.filter(**{f"{path}__startswith": word}), most)


def _keys(rows: QuerySet[Any], most: int | None) -> QuerySet[Any]:
    return rows.order_by().values_list("pk", flat=True)[:most]
