"""The check that every guard is installed."""

from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.db import DatabaseError, connections

from milo.append_only.installation import installing, missing


@checks.register(checks.Tags.database)
def check_guards(app_configs: Any = None, databases: Sequence[str] | None = None, **kwargs: Any) -> list[checks.Error]:
    """`manage.py check --database default`: an error for each guard that is not installed."""
    errors: list[checks.Error] = []
    for alias in () if installing() else databases or ():
        try:
            absent = missing(connections[alias])
        except DatabaseError as error:
            return [checks.Error(f"the database cannot be asked for its guards: {error}", id="milo.E001")]
        errors += [
            checks.Error(
                f"guard {guard.name} is missing from {guard.table}, or is not as declared",
                hint="run manage.py migrate as the owner of the tables",
                id="milo.E002",
            )
            for guard in absent
        ]
    return errors
