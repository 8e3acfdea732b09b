"""Guards as they are in a database: which are missing, and how `migrate` installs them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from milo.append_only.declared import Guard, all_guards, declared_by

_installing: ContextVar[bool] = ContextVar("milo_guards_installing", default=False)


def missing(connection: BaseDatabaseWrapper) -> list[Guard]:
    """Return the declared guards that the database lacks, has switched off, or has in another form."""
    wanted = [guard for guard in all_guards() if connection.vendor in guard.present]
    found: set[str] = set()
    with connection.cursor() as cursor:
        # probes ask every few seconds, so not a query for each; SQLite knows unions of 500 at most
        for start in range(0, len(wanted), 100):
            part = wanted[start : start + 100]
            absent = (f"SELECT %s WHERE NOT EXISTS ({guard.present[connection.vendor]})" for guard in part)
            names = [name for guard in part for name in (guard.name, guard.name)]
            cursor.execute(" UNION ALL ".join(absent), names)
            found |= {name for (name,) in cursor.fetchall()}
    return [guard for guard in wanted if guard.name in found]


def install(connection: BaseDatabaseWrapper, guards: Sequence[Guard]) -> None:
    """Create the guards, replacing older versions of them."""
    with connection.schema_editor() as editor:
        for guard in guards:
            drop = () if guard.keeps_itself else guard.drop.get(connection.vendor, ())
            for statement in [*drop, *guard.create.get(connection.vendor, ())]:
                editor.execute(statement, params=None)


def lift(connection: BaseDatabaseWrapper, guards: Sequence[Guard]) -> None:
    """Remove the guards; for the flush between transactional tests only."""
    with connection.cursor() as cursor:
        for guard in guards:
            for statement in guard.drop.get(connection.vendor, ()):
                cursor.execute(statement)


def lift_before_migrate(using: str, plan: Sequence[Any], **kwargs: Any) -> None:
    """Receiver of `pre_migrate`: SQLite rebuilds a table by renaming it, which a trigger that names it prevents.

    Every trigger of the database goes, those of the version before too. Where a migration then fails, the checks say
    that guards are missing until one has succeeded.
    """
    connection = connections[using]
    if connection.vendor != "sqlite" or not plan:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in cursor.fetchall():
            cursor.execute(f"DROP TRIGGER {connection.ops.quote_name(name)}")


def install_after_migrate(app_config: Any, using: str, **kwargs: Any) -> None:
    """Receiver of `post_migrate`."""
    guards = declared_by(app_config.label)
    connection = connections[using]
    present = set(connection.introspection.table_names())
    if guards and connection.vendor == "postgresql":
        _drop_former(connection)
    install(connection, [guard for guard in guards if guard.table in present])


def _drop_former(connection: BaseDatabaseWrapper) -> None:
    """Drop triggers of versions before, which call a function of their own name and are declared no more."""
    declared = [name for guard in all_guards() for name in (guard.name, f"{guard.name}_at_once")]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname, relname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid"
            " JOIN pg_proc ON pg_proc.oid = tgfoid WHERE relnamespace = to_regnamespace('public')"
            " AND NOT tgisinternal AND tgparentid = 0 AND proname = tgname AND tgname <> ALL(%s)",
            [declared],
        )
        for trigger, table in cursor.fetchall():
            name = connection.ops.quote_name
            cursor.execute(f"DROP TRIGGER {name(trigger)} ON public.{name(table)}")


@contextmanager
def about_to_install() -> Iterator[None]:
    """While `migrate` looks at the database before it installs, nothing counts as missing."""
    token = _installing.set(True)
    try:
        yield
    finally:
        _installing.reset(token)


def installing() -> bool:
    """Whether `migrate` is at work, which the owner of the tables runs."""
    return _installing.get()
