"""What the checks read: the clients' log, mails, watched events, faults, and the database by SQL."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg.rows import DictRow, dict_row

from soak.milo import Milo
from soak.records import read


@dataclass(frozen=True)
class Evidence:
    """Files of a soak below `folder`, and its deployment, which is still running."""

    folder: Path
    milo: Milo

    @cached_property
    def actions(self) -> list[dict[str, Any]]:
        return list(read(self.folder / "actions.jsonl"))

    @cached_property
    def mails(self) -> list[dict[str, Any]]:
        return list(read(self.folder / "mails.jsonl"))

    @cached_property
    def watched(self) -> list[dict[str, Any]]:
        return list(read(self.folder / "watched.jsonl"))

    @cached_property
    def faults(self) -> list[dict[str, Any]]:
        return list(read(self.folder / "faults.jsonl"))

    def of(self, action: str) -> Iterator[tuple[dict[str, Any], bool]]:
        """Yield the actions of one kind, and whether each was acknowledged."""
        for record in self.actions:
            if record["action"] == action:
                yield record, 200 <= record["status"] < 300

    def query(self, statement: LiteralString, *values: Any) -> list[DictRow]:
        """Return the rows of a query, as the superuser: nothing that the application may see or not decides."""
        with psycopg.connect(self.milo.postgresql.url(), row_factory=dict_row) as connection:
            return connection.execute(statement, values or None).fetchall()


Check = Callable[[Evidence], Iterator[str]]


def refused(record: dict[str, Any]) -> bool:
    """Return whether Milo said that nothing was done; neither holds for a client that never got an answer."""
    return int(record["status"]) >= 400
