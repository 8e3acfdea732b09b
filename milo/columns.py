"""What may happen to the columns of a table once a row is written; each model says it of its own as `columns`.

Guards of both engines, histories, purges and exports derive from it. A column is fixed, or fixed once a condition
holds, or free. One that is personal becomes nothing in a purge, at the end of its retention, whatever it is else.
"""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fixed:
    """Columns that the guard `name` fixes: from the first on, or once the SQL condition `once` on OLD holds."""

    name: str
    columns: tuple[str, ...]
    once: str = ""


def fixed(name: str, columns: str, *, once: str = "") -> Fixed:
    """Return `Fixed` for the columns of that text, between blanks."""
    return Fixed(name, tuple(columns.split()), once)


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of one table, by their names in the database."""

    fixed: tuple[Fixed, ...]
    free: tuple[str, ...]
    personal: tuple[str, ...]

    @classmethod
    def of(cls, *fixed: Fixed, free: str = "", personal: str = "") -> "Columns":
        """Return the columns of a table; `free` and `personal` are texts of names between blanks."""
        return cls(fixed, tuple(free.split()), tuple(personal.split()))

    def unclassified(self, names: Collection[str]) -> set[str]:
        """Return the names of which nothing is said, and those said of which there is no column."""
        said = {name for part in self.fixed for name in part.columns} | set(self.free)
        return (set(names) ^ said) | (set(self.personal) - set(names))
