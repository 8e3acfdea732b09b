"""Export a bundle that proves the rows of one organization, or others, on a machine without Milo and its database.

A bundle is a ZIP file: `manifest.json`; `seals.jsonl`, the chain of the period with all leaves; `rows.jsonl`, the
selected rows in their sealed form, with personal values and their salts; `keys/`, the public keys. Other rows are
present as leaves only, which reveal nothing.
"""

import base64
import json
import shutil
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

from django.db.models import QuerySet

from milo.ledger import keys
from milo.ledger.canonical import canonical
from milo.ledger.models import Seal
from milo.ledger.rows import Reader, Row
from milo.ledger.seals import instant
from milo.ledger.shapes import Shape, Shapes, follow, unstated
from milo.ledger.tables import Table, all_tables
from milo.personal import reveal, tells

AT_ONCE = 500


class NothingSealed(Exception):
    """No seal was made in the requested period."""


def export(path: Path, organization: str, since: datetime | None = None, until: datetime | None = None) -> int:
    """Write the bundle of an organization to `path`. Return how many rows it has.

    It has the rows sealed at or after `since` and before `until` (UTC; None for no bound). Raises what `write_bundle`
    raises.
    """

    def own(table: Table) -> QuerySet[Any] | None:
        of_organization = {table.organization: organization}
        return table.model._base_manager.filter(**of_organization) if table.organization else None

    return write_bundle(path, own, {"organization": organization}, since, until)


def write_bundle(
    path: Path | IO[bytes],
    select: Callable[[Table], "QuerySet[Any] | None"],
    about: Mapping[str, Any],
    since: datetime | None = None,
    until: datetime | None = None,
    *,
    personal: bool = True,
    files: Mapping[str, IO[bytes]] = MappingProxyType({}),
) -> int:
    """Write a bundle of the rows that `select` returns of each table (None for none of it). Return how many it has.

    `about` goes into the manifest, its `organization` says whose rows they are. Without `personal`, personal values are
    digests, and rows that have some inside of a document, which is sealed as it is, are left out and counted. `files`
    are added, by their names. It has what was sealed at or after `since` and before `until` (UTC; None for no bound).
    Raises `NothingSealed`, and `ColumnGone` if a table has lost a sealed column.
    """
    seals = Seal.objects.order_by("number")
    if since:
        seals = seals.filter(at__gte=since)
    if until:
        seals = seals.filter(at__lt=until)
    first, last = seals.defer("leaves").first(), seals.defer("leaves").last()
    if first is None or last is None:
        raise NothingSealed("nothing was sealed in that time")
    rows, hidden, spans = 0, 0, _spans(first.number, last.number)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        for key_id, key in keys.public_keys().items():
            bundle.writestr(f"keys/{key_id}.pub", keys.pem(key))
        with bundle.open("seals.jsonl", "w") as file:
            for seal in seals.iterator(chunk_size=20):
                file.write(_line(_shown(seal)))
        with bundle.open("rows.jsonl", "w") as file:
            for table in all_tables():
                for span in spans[table.name]:
                    for row in _rows(table, select(table), span):
                        line = _row(table, row, personal)
                        file.write(_line(line) if line else b"")
                        rows, hidden = rows + bool(line), hidden + (not line)
        for name, content in files.items():
            with bundle.open(name, "w") as file:
                shutil.copyfileobj(content, file)
        manifest = {
            **about,
            "from": instant(first.at),
            "to": instant(last.at),
            "seals": last.number - first.number + 1,
            "rows": rows,
            **({"hidden": hidden} if hidden else {}),
        }
        bundle.writestr("manifest.json", json.dumps(manifest, indent=1))
    return rows


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


def _shown(seal: Seal) -> dict[str, Any]:
    return {
        "number": seal.number,
        "at": instant(seal.at),
        "previous": seal.previous,
        "tables": seal.tables,
        "digest": seal.digest,
        "keyId": seal.key_id,
        "signature": seal.signature,
        "leaves": base64.b64encode(seal.leaves).decode(),
    }


@dataclass(slots=True)
class _Span:
    """Rows of a table with keys above `after` and up to `through`, sealed in one shape."""

    after: int
    through: int
    shape: Shape | None


def _spans(first: int, last: int) -> dict[str, list[_Span]]:
    """Return the spans of each table in the seals `first` to `last`. Shapes may be stated before or after these."""
    spans, shapes = defaultdict[str, list[_Span]](list), Shapes()
    for seal in follow(Seal.objects.defer("leaves").order_by("number").iterator(), shapes):
        if first <= seal.number <= last:
            for name, part in seal.tables.items():
                if spans[name] and spans[name][-1].shape == shapes.get(name):
                    spans[name][-1].through = part["through"]
                else:
                    spans[name].append(_Span(part["after"], part["through"], shapes.get(name)))
        if seal.number >= last and shapes.keys() >= spans.keys():
            break
    for table in all_tables():
        for span in spans.get(table.name, []):
            span.shape = span.shape or unstated(table, shapes.get(table.name))
    return spans


def _rows(table: Table, selected: "QuerySet[Any] | None", span: _Span) -> Iterator[Row]:
    if selected is None:
        return
    read, after = Reader(table, shape=span.shape), span.after
    while batch := list(
        selected.filter(pk__gt=after, pk__lte=span.through).order_by("pk").values_list("pk", flat=True)[:AT_ONCE]
    ):
        where = f"{table.key} IN ({', '.join(['%s'] * len(batch))})"
        yield from read(batch[0] - 1, batch[-1], where, *batch)
        after = batch[-1]


def _row(table: Table, row: Row, personal: bool) -> dict[str, Any] | None:
    """Return a row as the bundle has it; None for one that cannot be there without personal values."""
    if not personal and any(map(tells, row.columns.values())):
        return None
    values = row.personal if personal else {}
    documents = [name for name, value in row.columns.items() if personal and tells(value)]
    reveal(*(f"{table.stem}.{name}" for name in (*values, *documents)))
    return {
        "table": table.name,
        "key": row.key,
        "canonical": canonical({"table": table.name, "row": row.columns}).decode(),
        "personal": {name: (salt.hex(), canonical(value).decode()) for name, (salt, value) in values.items()},
    }
