"""Which errors of the database are a race: another transaction was faster, and the same request may succeed now.

Every other one is a rule that the code above should have kept: a bug, or a version that does not fit the schema.
To ask for another try of those would have clients repeat them for ever.
"""

from typing import Any

from django.db import DatabaseError

# of PostgreSQL: exclusion_violation, serialization_failure, deadlock_detected
_RACES = {"23P01", "40001", "40P01"}
_UNIQUE = "23505"


def is_race(error: DatabaseError) -> bool:
    """Whether it was another transaction that made this one fail.

    A key that the database itself counts up is taken by no race: its counter is behind the rows then.
    """
    cause: Any = error.__cause__
    if state := getattr(cause, "sqlstate", None):
        return state in _RACES or (state == _UNIQUE and not refused_by(error).endswith("_pkey"))
    return getattr(cause, "sqlite_errorname", "") == "SQLITE_CONSTRAINT_UNIQUE"


def refused_by(error: DatabaseError) -> str:
    """Return the name of the constraint or guard that refused; on SQLite of a guard alone, else what it says first."""
    diagnostics = getattr(error.__cause__, "diag", None)
    if diagnostics:
        return diagnostics.constraint_name or ""
    return str(error).partition(":")[0]
