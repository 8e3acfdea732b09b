"""Only the owner of the tables migrates: what another role makes would be that role's own (PostgreSQL)."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError
from django.db import ProgrammingError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.exceptions import MigrationSchemaMissing

_OWNER = "SELECT pg_get_userbyid(relowner) FROM pg_catalog.pg_class WHERE oid = to_regclass('public.django_migrations')"
_INSUFFICIENT_PRIVILEGE = "42501"


@contextmanager
def as_owner_alone(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Raise `CommandError`, which says what role to use, unless the current one owns the tables, or makes the first.

    So does what the role may not do inside, for example where somebody else has made one of the tables.
    """
    if connection.vendor != "postgresql":
        yield
        return
    role, owner, database = _roles(connection)
    if owner and role != owner:
        raise CommandError(
            f"the role {role} cannot migrate: the tables are of the role {owner}. Run manage.py migrate with the"
            f" DATABASE_URL of {owner}; that of {role} is for server, worker and beat (docs/operating.md, PostgreSQL)"
        )
    try:
        yield
    except (ProgrammingError, MigrationSchemaMissing) as error:
        # the table of migrations itself could not be made, of which Django keeps the text alone
        first = isinstance(error, MigrationSchemaMissing)
        if not first and getattr(error.__cause__, "sqlstate", "") != _INSUFFICIENT_PRIVILEGE:
            raise
        why = str(error.__context__ if first else error).partition("\n")[0]
        hint = f"own all tables of {database}" if owner else f"be the owner of the database {database}"
        raise CommandError(
            f"the role {role} cannot migrate: {why}. It must {hint} (docs/operating.md, PostgreSQL)"
        ) from error


def _roles(connection: BaseDatabaseWrapper) -> tuple[str, str, str]:
    """Return the current role, the owner of the tables (empty where there are none), and the database."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT current_user, ({_OWNER}), current_database()")
        role, owner, database = cursor.fetchone()
    return role, owner or "", database
