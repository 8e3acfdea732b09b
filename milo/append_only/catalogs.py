"""The SQL that makes triggers and functions, and the queries of the catalogs that find them exactly as made."""

import hashlib
import re

SEARCH_PATH = "pg_catalog, public, pg_temp"
"""Search path of our functions. Where a path does not name pg_temp, PostgreSQL looks for tables there first."""
_BEFORE_TABLE = re.compile(r"\b(FROM|JOIN|INTO) (?=[a-z_]+\b)")
# bits of pg_trigger.tgtype: https://github.com/postgres/postgres/blob/REL_15_STABLE/src/include/catalog/pg_trigger.h
_ROW, _BEFORE = 1, 2
_EVENTS = {"INSERT": 4, "DELETE": 8, "UPDATE": 16, "TRUNCATE": 32}


def row_trigger(name: str, table: str, event: str, body: str, *, derives: bool = False) -> list[str]:
    """Return the statements of PostgreSQL that make a function of this body and have it called for each row.

    It is called before the row is written; one that `derives` is called afterwards, with the rights of its owner.
    """
    when, rights = ("AFTER", " SECURITY DEFINER") if derives else ("BEFORE", "")
    return [
        f"CREATE OR REPLACE FUNCTION public.{name}() RETURNS trigger LANGUAGE plpgsql{rights}"
        f" SET search_path = {SEARCH_PATH} AS $${body}$$",
        f"CREATE OR REPLACE TRIGGER {name} {when} {event} ON public.{table}"
        f" FOR EACH ROW EXECUTE FUNCTION public.{name}()",
    ]


def qualified(condition: str) -> str:
    """Name the schema of every table that a condition or statement names."""
    return _BEFORE_TABLE.sub(r"\1 public.", condition)


def same_trigger(statement: str) -> str:
    text = statement.replace("'", "''").replace("%", "%%")
    return f"SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND name = %s AND sql = '{text}'"


def same_function(
    function: str, table: str, body: str, *events: str, by_row: bool, after: bool = False, deferred: bool = False
) -> str:
    """Return the query that finds the trigger %s, enabled, without a condition, calling the function as declared."""
    kind = _BEFORE * (not (after or deferred)) + _ROW * by_row + sum(_EVENTS[event] for event in events)
    return (
        "SELECT 1 FROM pg_catalog.pg_trigger JOIN pg_catalog.pg_proc ON pg_proc.oid = tgfoid WHERE tgname = %s"
        f" AND tgrelid = to_regclass('public.{table}') AND tgenabled IN ('O', 'A') AND tgtype = {kind}"
        f" AND tginitdeferred = {deferred}"
        f" AND tgqual IS NULL AND tgattr = '' AND tgfoid = to_regproc('public.{function}')"
        f" AND {same_body(table, body)}"
    )


def same_body(table: str, body: str, *settings: str) -> str:
    """Return the condition that a function has this body, these settings, and the owner of the table."""
    digest = hashlib.sha256(body.encode()).hexdigest()
    config = ", ".join(f"'{setting}'" for setting in (f"search_path={SEARCH_PATH}", *settings))
    return (
        f"proconfig = ARRAY[{config}] AND encode(sha256(convert_to(prosrc, 'UTF8')), 'hex') = '{digest}'"
        " AND prolang = (SELECT oid FROM pg_catalog.pg_language WHERE lanname = 'plpgsql')"
        f" AND proowner = (SELECT relowner FROM pg_catalog.pg_class WHERE oid = to_regclass('public.{table}'))"
    )
