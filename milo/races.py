"""Recognize database errors that are races: a concurrent transaction won, and a retry may succeed.

Every other error is a rule that the code should have checked: a bug, or a version that does not fit the schema. Asking
clients to retry those would make them repeat the request forever.
"""

from typing import Any

from django.db import DatabaseError

# of PostgreSQL: exclusion_violation, serialization_failure, deadlock_detected
_RACES = {"23P01", "40001", "40P01"}
_UNIQUE = "23505"


def is_race(error: DatabaseError) -> bool:
    """Return whether a concurrent transaction made this one fail.

    A duplicate primary key is no race: keys come from a sequence, which must then be behind the rows.
    """
    cause: Any = error.__cause__
    if state := getattr(cause, "sqlstate", None):
        return state in _RACES or (state == _UNIQUE and not refused_by(error).endswith("_pkey"))
    return getattr(cause, "sqlite_errorname", "") == "SQLITE_CONSTRAINT_UNIQUE"


def refused_by(error: DatabaseError) -> str:
    """Return the name of the constraint or guard that refused; on SQLite only a guard has a name."""
    diagnostics = getattr(error.__cause__, "diag", None)
    if diagnostics:
        return diagnostics.constraint_name or ""
    return str(error).partition(":")[0]
