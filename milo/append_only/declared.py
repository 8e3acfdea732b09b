"""`Guard`, and the registry of the guards that applications declare."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from milo.migrating.derived import Derived


@dataclass(frozen=True, slots=True)
class Guard:
    """A trigger (or a PostgreSQL constraint that Django's models cannot express) by the name errors show.

    `create` replaces an installed guard of the name; SQLite cannot replace, so `drop` runs first there. `present` is a
    query that returns a row only if the database has the guard exactly as `create` makes it.
    `forbids` are the PostgreSQL privileges on the table that the application's role must not hold.
    """

    name: str
    table: str
    create: dict[str, Sequence[str]]
    drop: dict[str, Sequence[str]]
    present: dict[str, str]
    forbids: frozenset[str] = field(default=frozenset())
    forbids_columns: frozenset[str] = field(default=frozenset())
    """Restricts `forbids` to these columns. Empty means the whole table."""
    body: str = ""
    """The body of the function that PostgreSQL calls."""
    writes: bool = False
    """Whether this is a trigger or function that writes what the application's role may not, and refuses nothing."""
    keeps: Derived | None = None
    """The derived table that this trigger writes: without it there is no such trigger."""


_declared: dict[str, dict[str, Guard]] = {}
_deletable: set[str] = set()


def declare(app_label: str, *guards: Guard) -> None:
    """Register guards. Those of one application are installed together after its migrations."""
    _declared.setdefault(app_label, {}).update({guard.name: guard for guard in guards})


def all_guards() -> list[Guard]:
    return [guard for guards in _declared.values() for guard in guards.values()]


def deletable(*tables: str) -> None:
    """Declare tables of which the application's role deletes rows; of all others it must not hold the privilege."""
    _deletable.update(tables)


def may_delete(table: str) -> bool:
    """Whether the application's role deletes rows of the table."""
    return table in _deletable


def declared_by(app_label: str) -> list[Guard]:
    """Return the guards of one application."""
    return list(_declared.get(app_label, {}).values())
