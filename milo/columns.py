"""Classification of columns; each model declares that of its own as `columns`.

A column is fixed, fixed once a condition holds, or free, after its row is written. A personal one is also emptied by a
purge at the end of the retention, and masked on the staff site for whoever may not see it, unless it is a text: what
people write, and the names of things, stay legible. Guards of both engines, histories, purges, exports and masks derive
from this.
"""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fixed:
    """Columns that the guard `name` fixes: always, or once the SQL condition `once` on OLD holds."""

    name: str
    columns: tuple[str, ...]
    once: str = ""


def fixed(name: str, columns: str, *, once: str = "") -> Fixed:
    """Return `Fixed` for `columns`, names separated by blanks."""
    return Fixed(name, tuple(columns.split()), once)


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of one table, by their names in the database.

    Inside of `masked` ones of JSON, values of the keys `codes` say nothing about a person. Inside of other ones, the
    values of `keys` do, each a column and a key.
    """

    fixed: tuple[Fixed, ...]
    free: tuple[str, ...]
    masked: tuple[str, ...]
    texts: tuple[str, ...]
    codes: tuple[str, ...]
    keys: tuple[tuple[str, str], ...]

    @classmethod
    def of(
        cls, *fixed: Fixed, free: str = "", personal: str = "", texts: str = "", codes: str = "", keys: str = ""
    ) -> "Columns":
        """Return the columns of a table; each argument is names separated by blanks.

        `texts` are the personal columns that stay legible, `personal` are all others. `keys` are `column.key`: values
        that are masked inside of a column that stays legible, and are not purged for that.
        """
        inside = tuple((column, key) for column, _dot, key in (each.partition(".") for each in keys.split()))
        return cls(
            fixed, tuple(free.split()), tuple(personal.split()), tuple(texts.split()), tuple(codes.split()), inside
        )

    @property
    def always_fixed(self) -> frozenset[str]:
        """Return the columns that never change."""
        return frozenset(name for part in self.fixed if not part.once for name in part.columns)

    @property
    def personal(self) -> tuple[str, ...]:
        """Return all personal columns."""
        return self.masked + self.texts

    def unclassified(self, names: Collection[str]) -> set[str]:
        """Return the names of columns that are not classified, and classified names without a column."""
        said = {name for part in self.fixed for name in part.columns} | set(self.free)
        return (set(names) ^ said) | (set(self.personal) - set(names))
