"""Which version's guards a PostgreSQL has: the owner says it in a comment, before `migrate` installs the first of them.

During an upgrade the version before goes on serving, and finds guards that are not its own. SQLite has one process.
"""

import hashlib
from collections.abc import Iterable

from django.db.backends.base.base import BaseDatabaseWrapper

from milo.append_only.declared import Guard, all_guards

_PREFIX = "guards of Milo: sha256 "
_TABLE = "public.django_migrations"


def announce(connection: BaseDatabaseWrapper) -> None:
    """Say, as the owner, that the guards of this version are installed now; does nothing where that is said already.

    The comment stands on the table of migrations. A database without one has no guards yet either.
    """
    if connection.vendor != "postgresql":
        return
    said = _said(connection)
    if said is not None and said != _own():
        with connection.cursor() as cursor:
            cursor.execute(f"COMMENT ON TABLE {_TABLE} IS '{_own()}'")


def of_another_version(connection: BaseDatabaseWrapper) -> bool:
    """Whether the owner has had another version's guards installed, so that these cannot be compared with it."""
    if connection.vendor != "postgresql":
        return False
    said = _said(connection) or ""
    return said.startswith(_PREFIX) and said != _own()


def _said(connection: BaseDatabaseWrapper) -> str | None:
    """Return the comment, empty where there is none; None where there is no table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COALESCE(obj_description(oid, 'pg_class'), '') FROM pg_catalog.pg_class"
            f" WHERE oid = to_regclass('{_TABLE}')"
        )
        row = cursor.fetchone()
    return row[0] if row else None


def _own() -> str:
    return _PREFIX + digest(all_guards())


def digest(guards: Iterable[Guard]) -> str:
    """Return the SHA-256 of what makes the guards, whatever their order."""
    texts = sorted("\n".join([guard.name, guard.table, *guard.create.get("postgresql", ())]) for guard in guards)
    return hashlib.sha256("\n\n".join(texts).encode()).hexdigest()
