"""Triggers that refuse, or that derive rows, on both engines."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from milo.append_only.catalogs import qualified, row_trigger, same_function, same_trigger
from milo.append_only.declared import Guard
from milo.migrating.derived import Derived

NOTHING = "'[purged]', '{}', '[]'"
"""What a purge leaves of a personal value, in SQL."""


def refuse(
    name: str, table: str, event: str, when: str, message: str, *, unless: Mapping[str, str] | None = None
) -> Guard:
    """A trigger that refuses `event` (`INSERT`, `UPDATE`, `DELETE`) on rows for which the SQL condition `when` holds.

    `when` reads NEW and OLD and is written once, in the SQL both engines share. `unless` is a condition by engine under
    which the row is accepted all the same; PostgreSQL plans and evaluates it only where `when` holds, so it may be
    long. The refusal is an `IntegrityError` that begins with the guard's name.
    """
    text = f"{name}: {message}".replace("'", "''")
    on_sqlite = f"({when}) AND NOT ({unless['sqlite']})" if unless else when
    trigger = (
        f"CREATE TRIGGER {name} BEFORE {event} ON {table} WHEN {on_sqlite} BEGIN SELECT RAISE(ABORT, '{text}'); END"
    )
    begin, end = (f"IF NOT ({qualified(unless['postgresql'])}) THEN ", " END IF;") if unless else ("", "")
    body = (
        f" BEGIN IF {qualified(when)} THEN {begin}RAISE EXCEPTION '%', '{text}'"
        f" USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = '{name}';{end} END IF;"
        f" RETURN {'OLD' if event == 'DELETE' else 'NEW'}; END "
    )
    return Guard(
        name,
        table,
        create={
            "sqlite": [trigger],
            "postgresql": row_trigger(name, table, event, body),
        },
        drop={
            "sqlite": [f"DROP TRIGGER IF EXISTS {name}"],
            "postgresql": [f"DROP TRIGGER IF EXISTS {name} ON public.{table}"],
        },
        present={"sqlite": same_trigger(trigger), "postgresql": same_function(name, table, body, event, by_row=True)},
        forbids=frozenset({event}) if when == "TRUE" else frozenset(),
        body=body,
    )


def derive(keeps: Derived, name: str, table: str, event: str, when: str, statement: str) -> Guard:
    """A trigger that runs `statement` after `event` (`INSERT`, `UPDATE`) on rows for which the condition `when` holds.

    It keeps the derived table `keeps` right, whoever writes the rows that it is derived from. `migrate` makes the rows
    anew whenever it had to create the trigger. `when` and `statement` are written once, in the SQL that the engines
    share. PostgreSQL runs it with the rights of the owner: the application's role needs none on the derived table, and
    a version before, which serves during an upgrade, has not been granted any.
    """
    trigger = f"CREATE TRIGGER {name} AFTER {event} ON {table} WHEN {when} BEGIN {statement}; END"
    body = f" BEGIN IF {qualified(when)} THEN {qualified(statement)}; END IF; RETURN NULL; END "
    function, row = row_trigger(name, table, event, body, derives=True)
    # or a role could have it called by a trigger on a temporary table of its own
    revoke = f"REVOKE ALL ON FUNCTION public.{name}() FROM PUBLIC"
    same = same_function(name, table, body, event, by_row=True, after=True)
    return Guard(
        name,
        table,
        create={"sqlite": [trigger], "postgresql": [function, revoke, row]},
        drop={
            "sqlite": [f"DROP TRIGGER IF EXISTS {name}"],
            "postgresql": [f"DROP TRIGGER IF EXISTS {name} ON public.{table}"],
        },
        present={
            "sqlite": same_trigger(trigger),
            "postgresql": f"{same} AND prosecdef AND NOT has_function_privilege('public', tgfoid, 'EXECUTE')",
        },
        body=body,
        writes=True,
        keeps=keeps,
    )


def fixed_as_said(
    model: Any,
    *,
    purge: str = "FALSE",
    left: Mapping[str, str] | None = None,
    revoked: bool = False,
    unless: Mapping[str, Mapping[str, str]] | None = None,
) -> Iterator[Guard]:
    """Yield the guards of what the `columns` of `model` say is fixed (milo/columns.py).

    A personal column may become nothing, and that in a purge alone: an UPDATE for which the SQL condition `purge`
    holds. `left` has, by column, the SQL of what stands in its place then, where that is not the ordinary nothing.
    Where they are `revoked`, the application's role holds no privilege on the columns that are fixed from the first on.
    `unless` has, by name of a guard, the conditions under which it accepts a change (see `refuse`).
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
        made = refuse(
            part.name,
            model._meta.db_table,
            "UPDATE",
            f"({part.once or 'TRUE'}) AND ({when})",
            message,
            unless=(unless or {}).get(part.name),
        )
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
        f"CREATE OR REPLACE TRIGGER {own} BEFORE {' OR '.join(events)} ON public.{table}"
        f" EXECUTE FUNCTION public.{name}()"
    )
    present = same_function(name, table, by_row.body, *events, by_row=False)
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
        present={"postgresql": same_function(never.name, table, never.body, "TRUNCATE", by_row=False)},
        forbids=frozenset({"TRUNCATE"}),
    )


def no_replace(name: str, table: str, *keys: Sequence[str], partial: tuple[Sequence[str], str] | None = None) -> Guard:
    """Refuses an INSERT that repeats one of `keys`, each the columns of a unique constraint.

    `partial` are the columns of one with a condition, and the condition on NEW.
    SQLite's INSERT OR REPLACE deletes the row in its way, and no DELETE trigger sees it; PostgreSQL has no such thing.
    """
    same = [" AND ".join(f"was.{column} = NEW.{column}" for column in key) for key in keys]
    if partial:
        columns, condition = partial
        same.append(" AND ".join([condition, *(f"was.{column} = NEW.{column}" for column in columns)]))
    when = " OR ".join(f"EXISTS (SELECT 1 FROM {table} was WHERE {match})" for match in same)
    return on_sqlite(refuse(name, table, "INSERT", when, "a row with this key exists"))


def as_written(prefix: str, table: str, *keys: Sequence[str], partitioned: bool = False) -> tuple[Guard, Guard, Guard]:
    """Return the guards of a table whose rows are added and never touched again."""
    return (
        refuse(f"{prefix}_never_changed", table, "UPDATE", "TRUE", "rows stay as they were written"),
        no_delete(f"{prefix}_never_deleted", table, partitioned=partitioned),
        no_replace(f"{prefix}_never_replaced", table, *keys),
    )


def on_sqlite(guard: Guard) -> Guard:
    """Return the guard for SQLite alone."""
    create, drop = ({"sqlite": statements["sqlite"]} for statements in (guard.create, guard.drop))
    return replace(guard, create=create, drop=drop, present={"sqlite": guard.present["sqlite"]})
