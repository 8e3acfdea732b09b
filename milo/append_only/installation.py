"""Guards as they are in a database: which are missing, and how `migrate` installs them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from typing import Any

from django.db import DatabaseError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from milo.append_only.declared import Guard, all_guards, declared_by
from milo.migrating import locks
from milo.migrating.derived import fill

_installing: ContextVar[bool] = ContextVar("milo_guards_installing", default=False)


def missing(connection: BaseDatabaseWrapper, guards: Iterable[Guard] | None = None) -> list[Guard]:
    """Return those of the guards, or of all, that the database lacks, has switched off, or has in another form."""
    wanted = [guard for guard in (all_guards() if guards is None else guards) if connection.vendor in guard.present]
    found: list[int] = []
    with connection.cursor() as cursor:
        # probes ask every few seconds, so not a query for each; SQLite knows unions of 500 at most
        for start in range(0, len(wanted), 200):
            part = wanted[start : start + 200]
            queries = (guard.present[connection.vendor] for guard in part)
            absent = (f"SELECT {at} WHERE NOT EXISTS ({query})" for at, query in enumerate(queries, start))
            cursor.execute(" UNION ALL ".join(absent), [guard.name for guard in part])
            found += [at for (at,) in cursor.fetchall()]
    return [wanted[at] for at in sorted(found)]


def install(connection: BaseDatabaseWrapper, guards: Iterable[Guard], say: Callable[[str], object] = print) -> None:
    """Create the missing guards and replace those that differ, with one transaction for each table.

    A guard that is installed as declared is not touched, and its table is not locked. If a table stays locked, its
    guards of before stay in force. Calls `say` with a line for each further attempt, and finally raises `CommandError`.
    """
    tables: dict[str, list[Guard]] = {}
    # constraints first: nobody who has a lock of a table then waits for a stronger one
    for guard in sorted(missing(connection, guards), key=lambda guard: bool(guard.body)):
        tables.setdefault(guard.table, []).append(guard)
    for table, absent in tables.items():
        create = partial(_create, connection, absent)
        locks.patiently(connection, create, what=f"guards of {table}", say=say)


def _create(connection: BaseDatabaseWrapper, guards: Sequence[Guard]) -> None:
    with transaction.atomic(connection.alias), connection.cursor() as cursor:
        for guard in guards:
            for statement in _statements(connection, guard):
                cursor.execute(statement)
                # a trigger calls its function by name, so a new body of the function takes no lock on the table
                if not missing(connection, [guard]):
                    break


def _statements(connection: BaseDatabaseWrapper, guard: Guard) -> Sequence[str]:
    create = guard.create.get(connection.vendor, ())
    # SQLite replaces no trigger, and nobody sees the moment between the two statements
    return [*guard.drop["sqlite"], *create] if connection.vendor == "sqlite" and create else create


def lift(connection: BaseDatabaseWrapper, guards: Sequence[Guard]) -> None:
    """Remove the guards; for the flush between transactional tests only."""
    with connection.cursor() as cursor:
        for guard in guards:
            for statement in guard.drop.get(connection.vendor, ()):
                cursor.execute(statement)


def lift_before_migrate(using: str, plan: Sequence[Any], **kwargs: Any) -> None:
    """Receiver of `pre_migrate`: SQLite rebuilds a table by renaming it, which a trigger that names it prevents.

    Every trigger of the database goes, those of the version before too, until `migrate` ends.
    """
    connection = connections[using]
    if connection.vendor == "sqlite" and plan:
        _drop(connection, _triggers(connection))


@contextmanager
def put_back_on_failure(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Restore on SQLite the triggers that `migrate` had lifted, if the block raises.

    If their table has changed meanwhile, they may refuse every write to it until a `migrate` succeeds.
    """
    before = _triggers(connection) if connection.vendor == "sqlite" else {}
    try:
        yield
    except BaseException:
        for name, statement in before.items():
            if name not in _triggers(connection):
                with suppress(DatabaseError), connection.cursor() as cursor:
                    cursor.execute(statement)
        raise


def _triggers(connection: BaseDatabaseWrapper) -> dict[str, str]:
    """Return the statements of all triggers of SQLite, by their names."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        return dict(cursor.fetchall())


def _drop(connection: BaseDatabaseWrapper, names: Iterable[str]) -> None:
    with connection.cursor() as cursor:
        for name in names:
            cursor.execute(f"DROP TRIGGER {connection.ops.quote_name(name)}")


def install_after_migrate(app_config: Any, using: str, verbosity: int = 1, stdout: Any = None, **kwargs: Any) -> None:
    """Receiver of `post_migrate`."""
    guards = declared_by(app_config.label)
    connection = connections[using]
    present = set(connection.introspection.table_names()) if guards else set()

    def say(line: str) -> None:
        if verbosity >= 1:
            print(line, file=stdout, flush=True)

    applicable = [guard for guard in guards if _tables(guard) <= present]
    keeping = [guard for guard in applicable if guard.keeps]
    # a version before has dropped what it does not declare; guards of the table come last, so a killed fill is redone
    unguarded = {table for guard in missing(connection, applicable) for table in _tables(guard)}
    install(connection, keeping, say)
    for derived in {guard.keeps for guard in keeping if guard.keeps and guard.keeps.table in unguarded}:
        locks.patiently(connection, partial(fill, connection, derived), what=f"rows of {derived.table}", say=say)
    install(connection, applicable, say)
    if guards:
        _drop_former(connection, say)


def _tables(guard: Guard) -> set[str]:
    return {guard.table, guard.keeps.table} if guard.keeps else {guard.table}


def _drop_former(connection: BaseDatabaseWrapper, say: Callable[[str], object]) -> None:
    """Drop triggers of versions before, which are declared no more.

    On PostgreSQL they are known by calling a function of their own name; on SQLite there are none but ours.
    """
    declared = {name for guard in all_guards() for name in (guard.name, f"{guard.name}_at_once")}
    if connection.vendor == "sqlite":
        _drop(connection, set(_triggers(connection)) - declared)
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname, relname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid"
            " JOIN pg_proc ON pg_proc.oid = tgfoid WHERE relnamespace = to_regnamespace('public')"
            " AND NOT tgisinternal AND tgparentid = 0 AND proname = tgname AND tgname <> ALL(%s)",
            [sorted(declared)],
        )
        former = cursor.fetchall()
    for trigger, table in former:
        drop = partial(_execute, connection, _drop_of(connection, trigger, table))
        locks.patiently(connection, drop, what=f"the former guard {trigger} of {table}", say=say)


def _drop_of(connection: BaseDatabaseWrapper, trigger: str, table: str) -> str:
    name = connection.ops.quote_name
    return f"DROP TRIGGER IF EXISTS {name(trigger)} ON public.{name(table)}"


def _execute(connection: BaseDatabaseWrapper, statement: str) -> None:
    with transaction.atomic(connection.alias), connection.cursor() as cursor:
        cursor.execute(statement)


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
