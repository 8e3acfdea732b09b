"""Guards: rules that the database itself keeps, against the ORM and raw SQL alike, on both engines.

Applications declare guards when they are loaded; `migrate` installs them after every run,
because SQLite drops a table's triggers whenever a migration rebuilds it.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

from django.core import checks
from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

SEARCH_PATH = "pg_catalog, public, pg_temp"
"""Search path of our functions. Where a path does not name pg_temp, PostgreSQL looks for tables there first."""
NOTHING = "'[purged]', '{}', '[]'"
"""What a purge leaves of a personal value, in SQL."""
_AFTER_FROM = re.compile(r"\b(FROM|JOIN) (?=[a-z_]+\b)")
# bits of pg_trigger.tgtype: https://github.com/postgres/postgres/blob/REL_15_STABLE/src/include/catalog/pg_trigger.h
_ROW, _BEFORE = 1, 2
_EVENTS = {"INSERT": 4, "DELETE": 8, "UPDATE": 16, "TRUNCATE": 32}


@dataclass(frozen=True, slots=True)
class Guard:
    """A trigger (or a PostgreSQL constraint that Django's models cannot express) by the name errors show.

    `present` is a query that returns a row only where the database has the guard exactly as `create` makes it.
    `forbids` are the PostgreSQL privileges on the table that the application's role must not hold.
    """

    name: str
    table: str
    create: dict[str, Sequence[str]]
    drop: dict[str, Sequence[str]]
    present: dict[str, str]
    forbids: frozenset[str] = field(default=frozenset())
    forbids_columns: frozenset[str] = field(default=frozenset())
    """The columns of which the role must not hold what is forbidden; none where it is of all."""
    body: str = ""
    """The body of the function that PostgreSQL calls."""
    keeps_itself: bool = False
    """Whether `create` does nothing where this very guard is installed, so that it need not be dropped before."""
    writes: bool = False
    """Whether this is a function that writes what the application's role may not, and refuses nothing."""


_installing: ContextVar[bool] = ContextVar("milo_guards_installing", default=False)
_declared: dict[str, dict[str, Guard]] = {}
_deletable: set[str] = set()


def declare(app_label: str, *guards: Guard) -> None:
    """Make guards known; those of one application are installed together after its migrations."""
    _declared.setdefault(app_label, {}).update({guard.name: guard for guard in guards})


def all_guards() -> list[Guard]:
    return [guard for guards in _declared.values() for guard in guards.values()]


def deletable(*tables: str) -> None:
    """Declare tables of which the application's role deletes rows; of all others it must not hold the privilege."""
    _deletable.update(tables)


def may_delete(table: str) -> bool:
    """Whether the application's role deletes rows of the table."""
    return table in _deletable


def refuse(name: str, table: str, event: str, when: str, message: str) -> Guard:
    """A trigger that refuses `event` (`INSERT`, `UPDATE`, `DELETE`) on rows for which the SQL condition `when` holds.

    `when` reads NEW and OLD and is written once, in the SQL both engines share. The refusal is an `IntegrityError`
    that begins with the guard's name.
    """
    text = f"{name}: {message}".replace("'", "''")
    trigger = f"CREATE TRIGGER {name} BEFORE {event} ON {table} WHEN {when} BEGIN SELECT RAISE(ABORT, '{text}'); END"
    body = (
        f" BEGIN IF {_qualified(when)} THEN RAISE EXCEPTION '%', '{text}'"
        f" USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = '{name}'; END IF;"
        f" RETURN {'OLD' if event == 'DELETE' else 'NEW'}; END "
    )
    return Guard(
        name,
        table,
        create={
            "sqlite": [trigger],
            "postgresql": _row_trigger(name, table, event, body),
        },
        drop={
            "sqlite": [f"DROP TRIGGER IF EXISTS {name}"],
            "postgresql": [f"DROP TRIGGER IF EXISTS {name} ON public.{table}"],
        },
        present={"sqlite": _same_trigger(trigger), "postgresql": _same_function(name, table, body, event, by_row=True)},
        forbids=frozenset({event}) if when == "TRUE" else frozenset(),
        body=body,
    )


def _row_trigger(name: str, table: str, event: str, body: str) -> list[str]:
    """Return the statements of PostgreSQL that make a function of this body and have it called for each row."""
    return [
        f"CREATE OR REPLACE FUNCTION public.{name}() RETURNS trigger LANGUAGE plpgsql"
        f" SET search_path = {SEARCH_PATH} AS $${body}$$",
        f"CREATE TRIGGER {name} BEFORE {event} ON public.{table} FOR EACH ROW EXECUTE FUNCTION public.{name}()",
    ]


def _qualified(condition: str) -> str:
    """Name the schema of every table that a condition reads."""
    return _AFTER_FROM.sub(r"\1 public.", condition)


def _same_trigger(statement: str) -> str:
    text = statement.replace("'", "''").replace("%", "%%")
    return f"SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND name = %s AND sql = '{text}'"


def _same_function(function: str, table: str, body: str, *events: str, by_row: bool) -> str:
    """Return the query that finds the trigger %s, enabled, without a condition, calling the function as declared."""
    kind = _BEFORE + _ROW * by_row + sum(_EVENTS[event] for event in events)
    return (
        "SELECT 1 FROM pg_catalog.pg_trigger JOIN pg_catalog.pg_proc ON pg_proc.oid = tgfoid WHERE tgname = %s"
        f" AND tgrelid = to_regclass('public.{table}') AND tgenabled IN ('O', 'A') AND tgtype = {kind}"
        f" AND tgqual IS NULL AND tgattr = '' AND tgfoid = to_regproc('public.{function}')"
        f" AND {_same_body(table, body)}"
    )


def _same_body(table: str, body: str, *settings: str) -> str:
    """Return the condition that a function has this body, these settings, and the owner of the table."""
    digest = hashlib.sha256(body.encode()).hexdigest()
    config = ", ".join(f"'{setting}'" for setting in (f"search_path={SEARCH_PATH}", *settings))
    return (
        f"proconfig = ARRAY[{config}] AND encode(sha256(convert_to(prosrc, 'UTF8')), 'hex') = '{digest}'"
        " AND prolang = (SELECT oid FROM pg_catalog.pg_language WHERE lanname = 'plpgsql')"
        f" AND proowner = (SELECT relowner FROM pg_catalog.pg_class WHERE oid = to_regclass('public.{table}'))"
    )


def fixed_as_said(
    model: Any, *, purge: str = "FALSE", left: Mapping[str, str] | None = None, revoked: bool = False
) -> Iterator[Guard]:
    """Yield the guards of what the `columns` of `model` say is fixed (milo/columns.py).

    A personal column may become nothing, and that in a purge alone: an UPDATE for which the SQL condition `purge`
    holds. `left` has, by column, the SQL of what stands in its place then, where that is not the ordinary nothing.
    Where they are `revoked`, the application's role holds no privilege on the columns that are fixed from the first on.
    """
    for part in model.columns.fixed:
        personal = [column for column in part.columns if column in model.columns.personal]
        changed = [_changed(column) for column in part.columns if column not in personal]
        for column in personal:
            nothing = (left or {}).get(column, NOTHING)
            emptied = f"CAST(NEW.{column} AS TEXT) IN ({nothing}) AND ({purge})"
            changed.append(f"{_changed(column)} AND NOT ({emptied})")
        when = " OR ".join(f"({condition})" for condition in changed)
        message = f"{', '.join(part.columns)} cannot be changed"
        made = refuse(part.name, model._meta.db_table, "UPDATE", f"({part.once or 'TRUE'}) AND ({when})", message)
        if revoked and not part.once:
            made = replace(made, forbids=frozenset({"UPDATE"}), forbids_columns=frozenset(part.columns))
        yield made


def _changed(column: str) -> str:
    # quoted, because some are words of the language, such as "row"
    return f'NEW."{column}" IS DISTINCT FROM OLD."{column}"'


def no_delete(name: str, table: str, *, partitioned: bool = False) -> Guard:
    """Refuses every DELETE, and on PostgreSQL every TRUNCATE, which no row trigger sees.

    A row trigger of a partitioned table is one of each partition too, a statement trigger is not.
    """
    by_row = refuse(name, table, "DELETE", "TRUE", "rows are never deleted")
    function, row_trigger = by_row.create["postgresql"]
    events = ("TRUNCATE",) if partitioned else ("DELETE", "TRUNCATE")
    own = f"{name}_at_once" if partitioned else name
    statements = [function, *([row_trigger] if partitioned else [])]
    statements.append(
        f"CREATE TRIGGER {own} BEFORE {' OR '.join(events)} ON public.{table} EXECUTE FUNCTION public.{name}()"
    )
    present = _same_function(name, table, by_row.body, *events, by_row=False)
    if partitioned:
        present = f"{by_row.present['postgresql']} AND EXISTS ({present.replace('%s', repr(own))})"
    drop = [f"DROP TRIGGER IF EXISTS {trigger} ON public.{table}" for trigger in dict.fromkeys((name, own))]
    return replace(
        by_row,
        create=by_row.create | {"postgresql": statements},
        drop=by_row.drop | {"postgresql": drop},
        present=by_row.present | {"postgresql": present},
        forbids=frozenset({"DELETE", "TRUNCATE"}),
    )


def delete_only(name: str, table: str, where: str, message: str) -> Iterator[Guard]:
    """Refuses to DELETE rows for which the SQL condition `where` on OLD does not hold, and on PostgreSQL TRUNCATE."""
    yield refuse(name, table, "DELETE", f"NOT ({where})", message)
    never = no_delete(f"{name}_not_emptied", table)
    function, statement = never.create["postgresql"]
    emptied = statement.replace("DELETE OR TRUNCATE", "TRUNCATE")
    yield Guard(
        never.name,
        table,
        create={"postgresql": [function, emptied]},
        drop={"postgresql": never.drop["postgresql"]},
        present={"postgresql": _same_function(never.name, table, never.body, "TRUNCATE", by_row=False)},
        forbids=frozenset({"TRUNCATE"}),
    )


def no_replace(name: str, table: str, *keys: Sequence[str]) -> Guard:
    """Refuses an INSERT that repeats one of `keys`, each the columns of a unique constraint.

    SQLite's INSERT OR REPLACE deletes the row in its way, and no DELETE trigger sees it; PostgreSQL has no such thing.
    """
    same = (" AND ".join(f"was.{column} = NEW.{column}" for column in key) for key in keys)
    when = " OR ".join(f"EXISTS (SELECT 1 FROM {table} was WHERE {match})" for match in same)
    return _on_sqlite(refuse(name, table, "INSERT", when, "a row with this key exists"))


def as_written(prefix: str, table: str, *keys: Sequence[str], partitioned: bool = False) -> tuple[Guard, Guard, Guard]:
    """Return the guards of a table whose rows are added and never touched again."""
    return (
        refuse(f"{prefix}_never_changed", table, "UPDATE", "TRUE", "rows stay as they were written"),
        no_delete(f"{prefix}_never_deleted", table, partitioned=partitioned),
        no_replace(f"{prefix}_never_replaced", table, *keys),
    )


def _on_sqlite(guard: Guard) -> Guard:
    create, drop = ({"sqlite": statements["sqlite"]} for statements in (guard.create, guard.drop))
    return replace(guard, create=create, drop=drop, present={"sqlite": guard.present["sqlite"]})


def postgresql_constraint(name: str, table: str, definition: str) -> Guard:
    """A table constraint that only PostgreSQL has; SQLite's single writer stands in for it.

    Its comment is its definition: to make its index anew at every `migrate` would lock the table for as long.
    """
    text, drop = definition.replace("'", "''"), f"ALTER TABLE public.{table} DROP CONSTRAINT IF EXISTS {name}"
    same = (
        f"SELECT 1 FROM pg_catalog.pg_constraint WHERE conrelid = to_regclass('public.{table}') AND conname = %s"
        f" AND convalidated AND obj_description(oid, 'pg_constraint') = '{text}'"
    )
    present = same.replace("%s", f"'{name}'")
    create = (
        f"DO $$ BEGIN IF NOT EXISTS ({present}) THEN {drop};"
        f" ALTER TABLE public.{table} ADD CONSTRAINT {name} {definition};"
        f" COMMENT ON CONSTRAINT {name} ON public.{table} IS '{text}'; END IF; END $$"
    )
    return Guard(
        name,
        table,
        create={"postgresql": [create]},
        drop={"postgresql": [drop]},
        present={"postgresql": same},
        keeps_itself=True,
    )


def amend(name: str, table: str, when: str, assignments: str) -> Guard:
    """Return a trigger of PostgreSQL that sets columns of NEW before an INSERT for which the condition `when` holds.

    For what an older version writes that serves beside this one; on SQLite there is none.
    """
    body = f" BEGIN IF {when} THEN {assignments} END IF; RETURN NEW; END "
    return Guard(
        name,
        table,
        create={"postgresql": _row_trigger(name, table, "INSERT", body)},
        drop={"postgresql": [f"DROP TRIGGER IF EXISTS {name} ON public.{table}"]},
        present={"postgresql": _same_function(name, table, body, "INSERT", by_row=True)},
        writes=True,
    )


def writer(name: str, table: str, types: Sequence[str], statement: str) -> Guard:
    """Return a PostgreSQL function that runs `statement` ($1, $2, ... of `types`) with the rights of the owner.

    It refuses to write anything but one row. Nobody may call it before deploy/postgresql-roles.sql has said who.
    """
    body = (
        f" DECLARE written bigint; BEGIN {statement}; GET DIAGNOSTICS written = ROW_COUNT;"
        f" IF written <> 1 THEN RAISE EXCEPTION '{name}: there is no such row'"
        f" USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = '{name}'; END IF; END "
    )
    return by_right_of_owner(name, table, ", ".join(types), body)


def by_right_of_owner(name: str, table: str, arguments: str, body: str, **settings: str) -> Guard:
    """Return a PostgreSQL function that does what the application's role may not, with the rights of the owner."""
    signature = f"public.{name}({arguments})"
    types = ", ".join(argument.split()[-1] for argument in arguments.split(", "))
    own = "".join(f" SET {setting} = {value}" for setting, value in settings.items())
    same = _same_body(table, body, *(f"{setting}={value}" for setting, value in settings.items()))
    return Guard(
        name,
        table,
        create={
            "postgresql": [
                f"CREATE OR REPLACE FUNCTION {signature} RETURNS void LANGUAGE plpgsql SECURITY DEFINER"
                f" SET search_path = {SEARCH_PATH}{own} AS $${body}$$",
                f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC",
            ]
        },
        drop={"postgresql": [f"DROP FUNCTION IF EXISTS public.{name}({types})"]},
        present={
            "postgresql": "SELECT 1 FROM pg_catalog.pg_proc WHERE proname = %s"
            f" AND pg_proc.oid = to_regprocedure('public.{name}({types})') AND prosecdef AND {same}"
            " AND NOT has_function_privilege('public', pg_proc.oid, 'EXECUTE')"
        },
        keeps_itself=True,
        writes=True,
    )


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
    guards = list(_declared.get(app_config.label, {}).values())
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


@checks.register(checks.Tags.database)
def check_guards(app_configs: Any = None, databases: Sequence[str] | None = None, **kwargs: Any) -> list[checks.Error]:
    """`manage.py check --database default`: an error for each guard that is not installed."""
    errors: list[checks.Error] = []
    for alias in () if _installing.get() else databases or ():
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
