"""Read rows of sealed tables in order, in constant memory, each with its leaf.

The leaf of a row is the SHA-256 of the canonical JSON of `{"table": ..., "row": ...}`. The row is its columns by name:
numbers and texts unchanged, instants as RFC 3339 in UTC to the microsecond, days, UUIDs and amounts as texts. A
personal value that is not empty is replaced by `{"sha256": ...}`, the SHA-256 of a secret salt and the value's
canonical JSON, so that the value can be removed without changing the chain.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection, models
from django.utils.dateparse import parse_datetime

from milo.ledger.canonical import canonical, parse
from milo.ledger.models import Redaction, Salt
from milo.ledger.shapes import ColumnGone, Shape, shape_of
from milo.ledger.tables import Table

BATCH = 2000
PURGED = "[purged]"
_UUID_PARTS = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
_EMPTY: tuple[Any, ...] = (None, "", PURGED, [], {})
Converter = Callable[[Any], Any]


@dataclass(slots=True)
class Row:
    """A row in its sealed form: key, leaf, columns, and the personal values with their salts."""

    key: int
    subject: str
    leaf: bytes
    columns: dict[str, Any]
    personal: dict[str, tuple[bytes, Any]]
    lacks_salt: bool = False


class Reader:
    """Reads the rows of one table in `shape`, by default that of this version.

    `make_salts` creates the secrets of subjects that have none; without it their rows are marked `lacks_salt`. Raises
    `ColumnGone` if the table lacks a column of the shape.
    """

    def __init__(
        self,
        table: Table,
        make_salts: "Callable[[set[str]], dict[str, bytes]] | None" = None,
        shape: Shape | None = None,
    ) -> None:
        self.table, self._name = table, table.name
        current = shape_of(table)
        self._shape = shape or current
        self._is_current = self._shape.columns == current.columns
        if gone := sorted(set(self._shape.columns) - set(current.columns)):
            raise ColumnGone(f"the column {self._name}.{gone[0]} is gone, which was sealed")
        self._make_salts = make_salts
        fields = table.columns
        self._names = [str(field.column) for field in fields]
        self._key = self._names.index(table.key)
        subject = _subject_of(table)
        self._converters = [(str(field.column), made) for field in fields if (made := _converter(field))]
        secret = _salt_of(subject) if self._shape.personal else "NULL"
        self._selected = [*map(_expression, fields), subject, secret]

    def __call__(self, after: int, through: int, where: str = "", *parameters: Any) -> Iterator[Row]:
        """Yield the rows with keys above `after` and up to `through`, ordered by key; `where` is further SQL."""
        for batch in self._batches(after, through, where, parameters):
            yield from self._rows(batch)

    def _batches(self, after: int, through: int, where: str, parameters: tuple[Any, ...]) -> Iterator[list[Any]]:
        name, key = connection.ops.quote_name, connection.ops.quote_name(self.table.key)
        condition = f" AND ({where})" if where else ""
        query = (
            f"SELECT {', '.join(self._selected)} FROM {name(self._name)} AS sealed"
            f" WHERE {key} > %s AND {key} <= %s{condition} ORDER BY {key} LIMIT {BATCH}"
        )
        with connection.cursor() as cursor:
            while True:
                cursor.execute(query, [after, through, *parameters])
                batch = cursor.fetchall()
                if batch:
                    yield batch
                if len(batch) < BATCH:
                    return
                after = batch[-1][self._key]

    def _rows(self, batch: list[Any]) -> list[Row]:
        redacted = self._redactions(batch) if self._shape.personal else {}
        rows = [self._row(values, redacted) for values in batch]
        if self._make_salts and (lacking := {row.subject for row in rows if row.lacks_salt}):
            salts = self._make_salts(lacking)
            for at, row in enumerate(rows):
                if row.lacks_salt:
                    rows[at] = self._row((*batch[at][:-1], salts[row.subject]), redacted)
        return rows

    def _redactions(self, batch: list[Any]) -> dict[tuple[int, str], dict[str, str]]:
        first, last = batch[0][self._key], batch[-1][self._key]
        redactions = Redaction.objects.filter(table=self._name, row__range=(first, last))
        values = redactions.values_list("row", "subject", "digests")
        return {(row, subject): digests for row, subject, digests in values}

    def _row(self, values: tuple[Any, ...], redacted: dict[tuple[int, str], dict[str, str]]) -> Row:
        table, columns = self._name, dict(zip(self._names, values, strict=False))
        for name, convert in self._converters:
            columns[name] = convert(columns[name])
        key, secret = values[self._key], values[-1]
        row = Row(key, values[-2], b"", columns, {})
        if not self._is_current:
            columns = row.columns = {name: columns[name] for name in self._shape.columns}
        # a redaction under another subject does not count: that subject may not be a purged one
        gone = redacted.get((key, str(values[-2])), {})
        for name in self._shape.personal:
            value = columns[name]
            empty = value == PURGED or (not value and value in _EMPTY) or value == purged_address(key)
            if name in gone and (empty or self.table.gone_below):
                # in tables that are compacted the value stays until then
                columns[name] = {"sha256": gone[name]}
            elif empty:
                continue
            elif secret is None:
                row.lacks_salt = True
            else:
                salt = hmac.digest(secret, f"{table}:{key}:{name}".encode(), "sha256")
                row.personal[name] = (salt, value)
                columns[name] = {"sha256": personal_digest(salt, value)}
        row.leaf = leaf_of(table, columns)
        return row


def purged_address(key: Any) -> str:
    """Return the replacement of the e-mail address of the row with this key."""
    return f"purged-{key}@milo.invalid"


def leaf_of(table: str, columns: dict[str, Any]) -> bytes:
    """Return the leaf of a row: the SHA-256 of its canonical JSON."""
    return hashlib.sha256(canonical({"table": table, "row": columns})).digest()


def personal_digest(salt: bytes, value: Any) -> str:
    """Return the digest of a personal value in the chain, in hexadecimal."""
    return hashlib.sha256(salt + canonical(value)).hexdigest()


def salts(subjects: set[str]) -> dict[str, bytes]:
    """Return the secrets of subjects, created where missing."""
    new = [Salt(subject=subject, key=secrets.token_bytes(32)) for subject in sorted(subjects)]
    Salt.objects.bulk_create(new, ignore_conflicts=True)
    return {subject: bytes(key) for subject, key in Salt.objects.filter(subject__in=subjects).values_list()}


def _subject_of(table: Table) -> str:
    """Return SQL for the subject of a row's salts."""
    quote = connection.ops.quote_name
    if not table.subject_path:
        return f"'{table.name}:' || sealed.{quote(table.key)}"
    uid = "sealed.uid"
    if table.subject:
        column: Any = table.model._meta.get_field(table.subject)
        parent = column.related_model._meta
        uid = (
            f"(SELECT parent.uid FROM {quote(parent.db_table)} AS parent"
            f" WHERE parent.{quote(parent.pk.column)} = sealed.{quote(column.column)})"
        )
    if connection.vendor == "postgresql":
        return f"{uid}::text"
    return " || '-' || ".join(f"substr({uid}, {start}, {long})" for start, long in _UUID_PARTS)


def _salt_of(subject: str) -> str:
    """Return SQL for the secret of a subject: a subquery, which no plan turns into a join of the whole tables."""
    return f'(SELECT salt."key" FROM {Salt._meta.db_table} AS salt WHERE salt.subject = {subject})'


def _expression(field: "models.Field[Any, Any]") -> str:
    column = connection.ops.quote_name(str(field.column))
    if connection.vendor != "postgresql":
        # the driver converts columns to dates, but not expressions
        return f"CAST({column} AS TEXT)" if isinstance(field, models.DateField) else column
    if isinstance(field, models.DateTimeField):
        return f"to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
    if isinstance(field, models.UUIDField | models.JSONField | models.DateField | models.DecimalField):
        return f"{column}::text"
    return column


def _converter(field: "models.Field[Any, Any]") -> Converter | None:
    if isinstance(field, models.JSONField):
        return _json
    if connection.vendor == "postgresql":
        return None
    if isinstance(field, models.DateTimeField):
        return _instant
    if isinstance(field, models.UUIDField):
        return _uuid
    if isinstance(field, models.BooleanField):
        return lambda value: None if value is None else bool(value)
    return None


def _json(text: str | None) -> Any:
    if text == "{}":
        return {}
    if text == "[]":
        return []
    return None if text is None else parse(text)


def _uuid(text: str | None) -> str | None:
    return text and f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _instant(text: str | None) -> str | None:
    if text is None:
        return None
    if len(text) == 26:
        return f"{text[:10]}T{text[11:]}Z"
    instant = parse_datetime(text)
    assert instant
    return f"{instant:%Y-%m-%dT%H:%M:%S.%f}Z"
