"""The version whose guards a PostgreSQL database has, in a comment that the owner writes before installing them.

During an upgrade the previous version goes on serving, and finds guards that are not its own. SQLite has one process.
"""

import hashlib
from collections.abc import Iterable

from django.db.backends.base.base import BaseDatabaseWrapper

from milo.append_only.declared import Guard, all_guards

_PREFIX = "guards of Milo: sha256 "
_TABLE = "public.django_migrations"


def announce(connection: BaseDatabaseWrapper) -> None:
    """Record as the owner that the guards of this version are installed. Idempotent.

    The comment stands on the table of migrations. A database without one has no guards yet either.
    """
    if connection.vendor != "postgresql":
        return
    said = _said(connection)
    if said is not None and said != _own():
        with connection.cursor() as cursor:
            cursor.execute(f"COMMENT ON TABLE {_TABLE} IS '{_own()}'")


def of_another_version(connection: BaseDatabaseWrapper) -> bool:
    """Return whether the owner has installed the guards of another version."""
    if connection.vendor != "postgresql":
        return False
    said = _said(connection) or ""
    return said.startswith(_PREFIX) and said != _own()


def _said(connection: BaseDatabaseWrapper) -> str | None:
    """Return the comment, "" without a comment, None without the table."""
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
