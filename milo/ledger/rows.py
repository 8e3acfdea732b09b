"""Rows of sealed tables as the chain has them: read in order, in constant memory, each with its digest.

The leaf of a row is the SHA-256 of the canonical JSON of `{"table": ..., "row": ...}`. The row is its columns by name:
numbers and texts as they are, instants as RFC 3339 in UTC to the microsecond, days, UUIDs and amounts as texts. In the
place of a personal value that is not empty stands `{"sha256": ...}`, the SHA-256 of a secret salt and the value's
canonical JSON, so that the value can go and the chain stays. The word of `history_change_reason` stands apart from the
text behind it, which is personal.
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
from milo.ledger.tables import MESSAGE, Table

BATCH = 2000
PURGED = "[purged]"
_EMPTY: tuple[Any, ...] = (None, "", PURGED, [], {})
Converter = Callable[[Any], Any]


@dataclass(slots=True)
class Row:
    """A row as the chain has it: its key, its digest, its columns, and the personal values with their salts."""

    key: int
    subject: str
    leaf: bytes
    columns: dict[str, Any]
    personal: dict[str, tuple[bytes, Any]]
    lacks_salt: bool = False


class Reader:
    """Reads the rows of one table; `salts` gives the keys of subjects."""

    def __init__(self, table: Table, salts: "Callable[[set[str]], dict[str, bytes]] | None" = None) -> None:
        self.table = table
        self._salts = salts or known_salts
        self._fields = list(table.model._meta.concrete_fields)
        self._names = [str(field.column) for field in self._fields]
        self._key = self._names.index(table.key)
        self._uid = self._names.index("uid") if "uid" in self._names else None
        self._converters = [(at, made) for at, field in enumerate(self._fields) if (made := _converter(field))]
        self._personal = list(table.personal)
        self._reason = "history_change_reason" if table.history else None

    def __call__(self, after: int, through: int, where: str = "", *parameters: Any) -> Iterator[Row]:
        """The rows whose key is above `after` and at most `through`, in the order of their keys."""
        for batch in self._batches(after, through, where, parameters):
            yield from self._rows(batch)

    def _batches(self, after: int, through: int, where: str, parameters: tuple[Any, ...]) -> Iterator[list[Any]]:
        selected = ", ".join(_expression(field) for field in self._fields)
        name, key = connection.ops.quote_name, connection.ops.quote_name(self.table.key)
        condition = f" AND ({where})" if where else ""
        query = (
            f"SELECT {selected} FROM {name(self.table.name)} WHERE {key} > %s AND {key} <= %s{condition}"
            f" ORDER BY {key} LIMIT {BATCH}"
        )
        with connection.cursor() as cursor:
            while True:
                cursor.execute(query, [after, through, *parameters])
                batch = [list(found) for found in cursor.fetchall()]
                if batch:
                    yield batch
                if len(batch) < BATCH:
                    return
                after = batch[-1][self._key]

    def _rows(self, batch: list[list[Any]]) -> list[Row]:
        made = []
        subjects: set[str] = set()
        for values in batch:
            for at, convert in self._converters:
                values[at] = convert(values[at])
            columns = dict(zip(self._names, values, strict=True))
            if self._reason:
                columns[self._reason], _colon, columns[MESSAGE] = columns[self._reason].partition(": ")
            subject = f"{self.table.name}:{columns[self.table.key]}" if self._uid is None else values[self._uid]
            secret = [name for name in self._personal if columns[name] not in _EMPTY]
            blank = [name for name in self._personal if name not in secret]
            if secret:
                subjects.add(subject)
            made.append((columns, subject, secret, blank))
        salts = self._salts(subjects) if subjects else {}
        redacted = self._redactions(batch) if self._personal else {}
        return [self._row(*row, salts, redacted) for row in made]

    def _redactions(self, batch: list[list[Any]]) -> dict[int, dict[str, str]]:
        first, last = batch[0][self._key], batch[-1][self._key]
        found = Redaction.objects.filter(table=self.table.name, row__range=(first, last))
        return dict(found.values_list("row", "digests"))

    def _row(
        self,
        columns: dict[str, Any],
        subject: str,
        secret: list[str],
        blank: list[str],
        salts: dict[str, bytes],
        redacted: dict[int, dict[str, str]],
    ) -> Row:
        key, key_of_subject = columns[self.table.key], salts.get(subject)
        gone = redacted.get(key, {})
        row = Row(key, subject, b"", columns, {})
        for name in secret:
            if name in gone and self.table.kept_for:
                # it stays for as long as its table keeps it
                columns[name] = {"sha256": gone[name]}
            elif key_of_subject is None:
                row.lacks_salt = True
            else:
                salt = hmac.digest(key_of_subject, f"{self.table.name}:{key}:{name}".encode(), "sha256")
                row.personal[name] = (salt, columns[name])
                columns[name] = {"sha256": personal_digest(salt, columns[name])}
        for name in blank:
            if name in gone:
                columns[name] = {"sha256": gone[name]}
        row.leaf = leaf_of(self.table.name, columns)
        return row


def leaf_of(table: str, columns: dict[str, Any]) -> bytes:
    """The digest of a row."""
    return hashlib.sha256(canonical({"table": table, "row": columns})).digest()


def personal_digest(salt: bytes, value: Any) -> str:
    """What stands in the chain for a personal value."""
    return hashlib.sha256(salt + canonical(value)).hexdigest()


def known_salts(subjects: set[str]) -> dict[str, bytes]:
    """The keys of those subjects that have one."""
    if connection.vendor != "postgresql":
        return {subject: bytes(key) for subject, key in Salt.objects.filter(subject__in=subjects).values_list()}
    with connection.cursor() as cursor:
        # one parameter instead of thousands, which the driver would take longer to write than the server to find
        cursor.execute("SELECT subject, key FROM ledger_salt WHERE subject = ANY(%s)", [list(subjects)])
        return {subject: bytes(key) for subject, key in cursor.fetchall()}


def salts(subjects: set[str]) -> dict[str, bytes]:
    """The keys of subjects, made where there are none yet."""
    known = known_salts(subjects)
    if missing := subjects - known.keys():
        new = [Salt(subject=subject, key=secrets.token_bytes(32)) for subject in sorted(missing)]
        Salt.objects.bulk_create(new, ignore_conflicts=True)
        known |= known_salts(missing)
    return known


def _expression(field: "models.Field[Any, Any]") -> str:
    column = connection.ops.quote_name(str(field.column))
    if connection.vendor != "postgresql":
        # the driver would make dates of columns, and does not of expressions
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
    if isinstance(field, models.DecimalField):
        places = field.decimal_places
        return lambda value: None if value is None else f"{value:.{places}f}"
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
