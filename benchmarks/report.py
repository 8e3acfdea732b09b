"""What a benchmark found, as a table for people and as JSON for programs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.contest import Figures


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of a contest (the peer is second), and single facts by their names."""

    title: str
    figures: Sequence[Figures] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {"title": self.title, "contestants": self._rows(), "facts": self.facts}

    def __str__(self) -> str:
        lines = [*_table(self._rows()), *(f"{name}: {fact}" for name, fact in self.facts.items())]
        return "\n  ".join([self.title, *lines])

    def _rows(self) -> list[dict[str, Any]]:
        return [found.row(self.figures[1]) for found in self.figures]


def _table(rows: Sequence[dict[str, Any]]) -> list[str]:
    if not rows:
        return []
    cells = [list(rows[0]), *(["-" if value is None else str(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    # names to the left, numbers to the right
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in cells]
