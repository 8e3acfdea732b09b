"""Read delimited data files row by row; an invalid cell is refused with its file, row and column."""

import csv
from collections.abc import Callable, Collection, Iterator
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


class BrokenData(Exception):
    """An invalid cell of a data file: `file`, `row` (as a spreadsheet counts, the header is 1) and `column`."""

    def __init__(self, file: str, row: int, column: str, why: str) -> None:
        self.file, self.row, self.column = file, row, column
        super().__init__(f"{file}, row {row}, column {column}: {why}")


class Row:
    """A row of a file. Every getter raises `BrokenData` for a cell that its column cannot hold."""

    def __init__(self, file: str, number: int, cells: dict[str, str]) -> None:
        self.file, self.number, self._cells = file, number, cells

    def broken(self, column: str, why: str) -> BrokenData:
        return BrokenData(self.file, self.number, column, why)

    def text(self, column: str) -> str:
        """Return the cell, which may be empty."""
        value = self._cells[column]
        if value != value.strip():
            raise self.broken(column, "white space around the value")
        return value

    def required(self, column: str) -> str:
        if not (value := self.text(column)):
            raise self.broken(column, "is empty")
        return value

    def known(self, column: str, known: Collection[str]) -> str:
        """Return the cell, which must be one of `known`."""
        if (value := self.required(column)) not in known:
            raise self.broken(column, f"{value!r} is unknown")
        return value

    def member(self, column: str, kind: type[E]) -> E:
        return kind(self.known(column, [str(item) for item in kind]))

    def day(self, column: str) -> date:
        try:
            return date.fromisoformat(self.required(column))
        except ValueError as error:
            raise self.broken(column, "is no ISO 8601 date") from error

    def optional_day(self, column: str) -> date | None:
        return self.day(column) if self.text(column) else None

    def number_in(self, column: str, low: int, high: int) -> int:
        value = self.required(column)
        if not (value.isascii() and value.isdecimal()) or not low <= int(value) <= high:
            raise self.broken(column, f"is no number from {low} to {high}")
        return int(value)

    def optional_number_in(self, column: str, low: int, high: int) -> int | None:
        return self.number_in(column, low, high) if self.text(column) else None

    def items(self, column: str, separator: str, known: Collection[str] | None = None) -> tuple[str, ...]:
        """Return the parts of a list, in order; none if the cell is empty. Each must be one of `known`, if given."""
        value = self.text(column)
        parts = tuple(part.strip() for part in value.split(separator)) if value else ()
        if "" in parts or len(set(parts)) < len(parts):
            raise self.broken(column, "names something twice, or nothing")
        if unknown := [part for part in parts if known is not None and part not in known]:
            raise self.broken(column, f"{unknown[0]!r} is unknown")
        return parts


def read(path: Path, columns: Collection[str], key: Collection[str], make: Callable[[Row], T]) -> tuple[T, ...]:
    """Read a file with exactly `columns` and return the result of `make` for each row, in the order of the file.

    Files are comma separated, `.tsv` files tab separated and unquoted. Raises `BrokenData` for other columns, for two
    rows with the same cells in the columns of `key`, and for what `make` refuses.
    """
    items, keys = [], set()
    for row in _rows(path, columns):
        cells = tuple(row.text(column) for column in key)
        if cells in keys:
            raise row.broken(", ".join(key), f"{', '.join(cells)} is in the file already")
        keys.add(cells)
        items.append(make(row))
    return tuple(items)


def _rows(path: Path, columns: Collection[str]) -> Iterator[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file, _Tabs if path.suffix == ".tsv" else csv.excel)
        header = next(lines, [])
        if header != list(columns):
            different = {*header} ^ {*columns} or {*columns}
            raise BrokenData(path.name, 1, sorted(different)[0], f"the columns must be {', '.join(columns)}")
        for number, cells in enumerate(lines, start=2):
            if len(cells) != len(header):
                column = header[min(len(cells), len(header) - 1)]
                raise BrokenData(path.name, number, column, f"has {len(cells)} cells, not {len(header)}")
            yield Row(path.name, number, dict(zip(header, cells, strict=True)))


class _Tabs(csv.excel_tab):
    quoting = csv.QUOTE_NONE
