"""The database of a test run: migrated once for all workers of pytest-xdist, and emptied without migrating again.

On PostgreSQL the owner creates it, and tests connect as the role of the application, which owns nothing
(deploy/postgresql-roles.sql). Use `as_owner` for statements that only the owner may execute.
"""

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models.signals import pre_migrate
from django.test import TransactionTestCase
from psycopg.pq import TransactionStatus

from milo import append_only
from milo.identity.apps import make_role_groups
from tests.support import world_clock

# filled by `migrate`, the same for every test, and slow to fill again
KEPT = {"django_content_type", "auth_permission"}
ROLES = Path(settings.BASE_DIR, "deploy", "postgresql-roles.sql")
ROLE = "milo_application"


@contextmanager
def made(folder: Path, worker: str) -> Iterator[None]:
    """Provide a migrated database for `worker`. The first worker migrates it, and each one gets a copy.

    `folder` is shared by the workers of a run. A run with one process has the worker name `master` and no copy.
    """
    pre_migrate.connect(world_clock.make_function, dispatch_uid="tests.world_clock")
    world_clock.install()
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
                # a worker that starts later migrates again
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
        # with libpq, because the file has several statements
        result = connection.connection.pgconn.exec_(ROLES.read_bytes())
        assert not result.error_message, result.error_message


def _enter(role: str) -> None:
    """Open all further connections, in all threads, as `role`; "" means the user of the URL."""
    if connection.vendor == "postgresql":
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]
        # not Django's setting assume_role, which does not work with its connection pool
        connection.settings_dict["OPTIONS"]["options"] = f"-c role={role}" if role else ""


@contextmanager
def as_owner() -> Iterator[None]:
    """Let this connection act as the owner of the tables, a superuser. No effect on SQLite, which has no roles."""
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
        raw = connection.connection
        # a failed transaction accepts no statement, and its rollback restores the role
        if raw and raw.info.transaction_status != TransactionStatus.INERROR:
            with connection.cursor() as cursor:
                cursor.execute(f"SET ROLE {role}")


def copy_to(path: Path) -> None:
    """Write the migrated, empty database of this run to `path`, for processes of their own. SQLite only."""
    with closing(sqlite3.connect(connection.settings_dict["NAME"])) as ours, closing(sqlite3.connect(path)) as copy:
        ours.backup(copy)


def empty(test_case: TransactionTestCase) -> None:
    """Empty the database to the state after `migrate`. For tests with real transactions."""
    tables = set(connection.introspection.django_table_names(include_views=False)) - KEPT
    with as_owner(), transaction.atomic(), connection.cursor() as cursor, _unguarded(cursor):
        for table in sorted(tables):
            cursor.execute(f"DELETE FROM {table}")
    make_role_groups(connection.alias, apps)


@contextmanager
def _unguarded(cursor: CursorWrapper) -> Iterator[None]:
    """Suspend the guards that refuse deletion. On PostgreSQL this takes a superuser."""
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
