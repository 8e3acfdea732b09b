"""A file of what the ledger page selects: a table for people, and the proof of its rows for a machine without Milo."""

from collections.abc import Iterable, Iterator, Sequence
from tempfile import TemporaryFile
from typing import IO, Any

from django.db.models import Model, QuerySet

from milo.admin.exports import MOST_ROWS, write_csv, write_xlsx
from milo.ledger.entries import Selection, selected
from milo.ledger.export import write_bundle
from milo.ledger.models import Inspection
from milo.ledger.seals import instant
from milo.ledger.tables import Table

AT_ONCE = 500


class TooMany(Exception):
    """More rows than a sheet has."""


def ledger_bundle(
    suffix: str, rows: Iterable[list[Any]], models: Sequence[type[Model]], selection: Selection, *, personal: bool
) -> tuple[IO[bytes], int]:
    """Return a bundle (milo/ledger/export.py) with `rows` as the file `ledger.SUFFIX`, and how many they are.

    `rows` are the entries of `models` that `selection` selects, with a head; those that no seal covers are in the table
    alone. The manifest has the result of the last verification. Raises `TooMany`, and `NothingSealed` of the export.
    """
    with TemporaryFile() as table:
        number = (write_xlsx if suffix == "xlsx" else write_csv)(_bounded(rows), table)
        table.seek(0)
        # closed when it has been sent
        file: IO[bytes] = TemporaryFile()  # noqa: SIM115
        write_bundle(
            file,
            lambda each: _rows_of(each, models, selection),
            {"organization": "the selection", "verification": _verification()},
            # what was written then cannot have been sealed before
            selection.since,
            personal=personal,
            files={f"ledger.{suffix}": table},
        )
    return file, number


def _bounded(rows: Iterable[list[Any]]) -> Iterator[list[Any]]:
    for number, row in enumerate(rows):
        if number > MOST_ROWS:
            raise TooMany
        yield row


def _rows_of(table: Table, models: Sequence[type[Model]], selection: Selection) -> "QuerySet[Any] | None":
    return selected(table.recorded, selection) if table.recorded and table.recorded in models else None


def _verification() -> dict[str, Any] | None:
    verified = Inspection.objects.filter(name="verify").first()
    return {"at": instant(verified.at), "violations": verified.violations} if verified else None
