"""What `manage.py check --database default` says of the role by which the database is entered."""

from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.db import DatabaseError, connections

from milo import append_only
from milo.ledger.models import Seal

_OWNS = "SELECT current_user, pg_has_role(current_user, tableowner, 'USAGE') FROM pg_tables WHERE tablename = %s"


@checks.register(checks.Tags.database)
def check_role(app_configs: Any = None, databases: Sequence[str] | None = None, **kwargs: Any) -> list[checks.Warning]:
    """A warning where the role can switch the guards off, because the tables are its own (PostgreSQL)."""
    found = []
    for alias in databases or ():
        connection = connections[alias]
        if connection.vendor != "postgresql" or append_only.installing():
            continue
        try:
            with connection.cursor() as cursor:
                cursor.execute(_OWNS, [Seal._meta.db_table])
                role, owns = cursor.fetchone() or ("", False)
        except DatabaseError:
            # said by the check of the guards
            continue
        if owns:
            message = f"the role {role} owns the tables, and so can switch off the guards"
            found.append(checks.Warning(message, hint="see deploy/postgresql-roles.sql", id="milo.W003"))
    return found
