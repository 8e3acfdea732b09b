"""The database of a run: migrated once for all of pytest's workers, and emptied without migrating again.

On PostgreSQL its owner makes it, and tests enter it as the role of the application, which owns nothing
(deploy/postgresql-roles.sql). What only the owner can do says `as_owner`.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.test import TransactionTestCase
from psycopg.pq import TransactionStatus

from milo import append_only
from milo.identity.apps import make_role_groups

# what `migrate` writes there is the same for every test, and takes longer to write than to keep
KEPT = {"django_content_type", "auth_permission"}
ROLES = Path(settings.BASE_DIR, "deploy", "postgresql-roles.sql")
ROLE = "milo_application"


@contextmanager
def made(folder: Path, worker: str) -> Iterator[None]:
    """A migrated database for `worker`; the first to ask migrates one in whose place the others get copies of it.

    `folder` is shared by the workers of one run. Where there is one process alone, it has the name `master`.
    """
    creation, original = connection.creation, connection.settings_dict["NAME"]
    migrated = folder / "migrated"
    with _alone(folder):
        first = not migrated.exists()
        if first:
            migrated.write_text(creation.create_test_db(verbosity=0, autoclobber=True, serialize=False))
            _grant()
        template = connection.settings_dict["NAME"] = migrated.read_text()
        if worker != "master":
            connection.close()
            creation.clone_test_db(worker, verbosity=0, autoclobber=True)
            connection.settings_dict["NAME"] = creation.get_test_db_clone_settings(worker)["NAME"]
    try:
        _enter(ROLE)
        yield
    finally:
        _enter("")
        if worker != "master":
            creation.destroy_test_db(original, verbosity=0)
        if first:
            with _alone(folder):
                # a worker that has not asked yet migrates again
                migrated.unlink()
                connection.settings_dict["NAME"] = template
                creation.destroy_test_db(original, verbosity=0)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _grant() -> None:
    if connection.vendor == "postgresql":
        connection.ensure_connection()
        # several statements at once, as psql would send them
        done = connection.connection.pgconn.exec_(ROLES.read_bytes())
        assert not done.error_message, done.error_message


def _enter(role: str) -> None:
    """Connections from now on, those of threads too, act as `role`, or as the user of the URL where it is empty."""
    if connection.vendor == "postgresql":
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]
        # Django's own setting, assume_role, waits for its own pool
        connection.settings_dict["OPTIONS"]["options"] = f"-c role={role}" if role else ""


@contextmanager
def as_owner() -> Iterator[None]:
    """Within, this connection acts as the owner of the tables, a superuser. SQLite knows no roles."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        (role,) = cursor.fetchone()
        cursor.execute("SET ROLE NONE")
    try:
        yield
    finally:
        held = connection.connection
        # the role goes with a transaction that has failed
        if held and held.info.transaction_status != TransactionStatus.INERROR:
            with connection.cursor() as cursor:
                cursor.execute(f"SET ROLE {role}")


def empty(test_case: TransactionTestCase) -> None:
    """Leave the database as `migrate` made it, after a test whose transactions were real."""
    tables = set(connection.introspection.django_table_names(include_views=False)) - KEPT
    with as_owner(), transaction.atomic(), connection.cursor() as cursor, _unguarded(cursor):
        for table in sorted(tables):
            cursor.execute(f"DELETE FROM {table}")
    make_role_groups(connection.alias, apps)


@contextmanager
def _unguarded(cursor: CursorWrapper) -> Iterator[None]:
    """Rows can be deleted within, which the guards refuse; on PostgreSQL this takes a superuser."""
    if connection.vendor == "postgresql":
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield
        return
    present = [guard for guard in append_only.all_guards() if "sqlite" in guard.create]
    deletions = [guard for guard in present if "BEFORE DELETE" in guard.create["sqlite"][0]]
    append_only.lift(connection, deletions)
    yield
    for guard in deletions:
        cursor.execute(guard.create["sqlite"][0])
