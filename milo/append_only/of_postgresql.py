"""What PostgreSQL alone has: constraints that Django cannot express, triggers that amend, functions of the owner."""

from collections.abc import Sequence

from milo.append_only.catalogs import SEARCH_PATH, qualified, row_trigger, same_body, same_function
from milo.append_only.declared import Guard


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
    )


def amend(name: str, table: str, when: str, assignments: str) -> Guard:
    """Return a trigger of PostgreSQL that sets columns of NEW before an INSERT for which the condition `when` holds.

    For what an older version writes that serves beside this one; on SQLite there is none.
    """
    body = f" BEGIN IF {when} THEN {assignments} END IF; RETURN NEW; END "
    return Guard(
        name,
        table,
        create={"postgresql": row_trigger(name, table, "INSERT", body)},
        drop={"postgresql": [f"DROP TRIGGER IF EXISTS {name} ON public.{table}"]},
        present={"postgresql": same_function(name, table, body, "INSERT", by_row=True)},
        writes=True,
    )


def refuse_unless(name: str, table: str, event: str, when: str, unless: str, message: str) -> Guard:
    """Return a trigger of PostgreSQL alone that refuses `event` on rows for which `when` holds, but `unless` does not.

    `unless` is planned and evaluated only where `when` holds, so it may be long.
    """
    text = f"{name}: {message}".replace("'", "''")
    body = (
        f" BEGIN IF {qualified(when)} THEN IF NOT ({qualified(unless)}) THEN RAISE EXCEPTION '%', '{text}'"
        f" USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = '{name}'; END IF; END IF; RETURN NEW; END "
    )
    return Guard(
        name,
        table,
        create={"postgresql": row_trigger(name, table, event, body)},
        drop={"postgresql": [f"DROP TRIGGER IF EXISTS {name} ON public.{table}"]},
        present={"postgresql": same_function(name, table, body, event, by_row=True)},
        body=body,
    )


def refuse_at_commit(name: str, table: str, events: Sequence[str], when: str, message: str) -> Guard:
    """Return a trigger of PostgreSQL that refuses a transaction at whose end `when` holds for a row of `events`.

    `when` reads NEW of an INSERT or UPDATE and OLD of a DELETE; the other is null. SQLite has no such triggers.
    """
    text = f"{name}: {message}".replace("'", "''")
    body = (
        f" BEGIN IF {qualified(when)} THEN RAISE EXCEPTION '%', '{text}'"
        f" USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = '{name}'; END IF; RETURN NULL; END "
    )
    function, _trigger = row_trigger(name, table, events[0], body)
    drop = f"DROP TRIGGER IF EXISTS {name} ON public.{table}"
    trigger = (
        f"CREATE CONSTRAINT TRIGGER {name} AFTER {' OR '.join(events)} ON public.{table}"
        f" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.{name}()"
    )
    return Guard(
        name,
        table,
        create={"postgresql": [function, drop, trigger]},
        drop={"postgresql": [drop]},
        present={"postgresql": same_function(name, table, body, *events, by_row=True, deferred=True)},
        body=body,
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
    same = same_body(table, body, *(f"{setting}={value}" for setting, value in settings.items()))
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
        writes=True,
    )
