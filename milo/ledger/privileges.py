"""Privileges that the application's role must not have on PostgreSQL, and database objects that bypass guards.

Everything not allowed by a guard is forbidden: tables without model, partitions, and DELETE.
"""

from collections.abc import Iterator

from django.apps import apps
from django.db.backends.base.base import BaseDatabaseWrapper

from milo import append_only

_NOBODYS = frozenset({"TRUNCATE", "REFERENCES", "TRIGGER"})
_TABLES = (
    "SELECT relname, relispartition, privilege FROM pg_class CROSS JOIN"
    " unnest(ARRAY['DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) privilege"
    " WHERE relnamespace = to_regnamespace('public') AND relkind IN ('r', 'p') AND CASE privilege"
    " WHEN 'REFERENCES' THEN has_any_column_privilege(pg_class.oid, privilege)"
    " ELSE has_table_privilege(pg_class.oid, privilege) END"
)
_COLUMNS = (
    "SELECT relname, relispartition, privilege, array_agg(attname::text) FROM pg_class"
    " JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped"
    " CROSS JOIN unnest(ARRAY['INSERT', 'UPDATE']) privilege"
    " WHERE relnamespace = to_regnamespace('public') AND relkind IN ('r', 'p')"
    " AND has_column_privilege(pg_class.oid, attnum, privilege) GROUP BY relname, relispartition, privilege"
)
_OTHERS = (
    "SELECT relname::text, 'UPDATE' FROM pg_class WHERE relnamespace = to_regnamespace('public')"
    " AND CASE WHEN relkind = 'S' THEN has_sequence_privilege(oid, 'UPDATE') ELSE FALSE END"
    " UNION ALL SELECT 'the schema public', 'CREATE' WHERE has_schema_privilege('public', 'CREATE')"
    " UNION ALL SELECT 'every role', 'CREATEROLE' FROM pg_roles WHERE rolname = current_user AND rolcreaterole"
    " UNION ALL SELECT rolname::text, 'membership' FROM pg_roles WHERE (rolname IN ('pg_execute_server_program',"
    " 'pg_write_server_files', 'pg_write_all_data') OR oid = (SELECT relowner FROM pg_class"
    " WHERE oid = to_regclass('public.ledger_seal'))) AND pg_has_role(oid, 'MEMBER')"
)
_PARAMETERS = 150000
"""The first version of PostgreSQL with a privilege to set a parameter."""
_REPLICA = (
    "SELECT 'the parameter session_replication_role', 'SET'"
    " WHERE has_parameter_privilege('session_replication_role', 'SET')"
)
UNKNOWN = "is none of ours"
"""How a finding ends that another version may know."""
_STRANGERS = (
    "SELECT format('the trigger %%s on %%s is switched off', tgname, relname) FROM pg_trigger"
    " JOIN pg_class ON pg_class.oid = tgrelid WHERE relnamespace = to_regnamespace('public')"
    " AND tgenabled NOT IN ('O', 'A')"
    " UNION ALL SELECT format('the trigger %%s on %%s is none of ours', tgname, relname) FROM pg_trigger"
    " JOIN pg_class ON pg_class.oid = tgrelid WHERE relnamespace = to_regnamespace('public')"
    " AND NOT tgisinternal AND tgparentid = 0 AND tgname <> ALL(%(guards)s)"
    " UNION ALL SELECT format('the rule %%s on %%s is none of ours', rulename, relname) FROM pg_rewrite"
    " JOIN pg_class ON pg_class.oid = ev_class WHERE relnamespace = to_regnamespace('public')"
    " AND relkind IN ('r', 'p')"
    " UNION ALL SELECT format('rows of %%s are hidden by policies', relname) FROM pg_class"
    " WHERE relnamespace = to_regnamespace('public') AND relrowsecurity"
    " UNION ALL SELECT format('the function %%s runs as its owner and is none of ours', proname) FROM pg_proc"
    " WHERE pronamespace = to_regnamespace('public') AND prosecdef AND proname <> ALL(%(guards)s)"
    " AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')"
    " UNION ALL SELECT format('%%s has another owner than the ledger', relname) FROM pg_class"
    " WHERE relnamespace = to_regnamespace('public') AND relkind IN ('r', 'p') AND relowner <>"
    " (SELECT relowner FROM pg_class WHERE oid = to_regclass('public.ledger_seal'))"
    " UNION ALL SELECT 'session_replication_role is set, and so no trigger is called'"
    " WHERE current_setting('session_replication_role') <> 'origin'"
)


def strangers(connection: BaseDatabaseWrapper) -> list[str]:
    """Return a text for each object that bypasses guards: unknown triggers, rules, policies, functions and owners.

    Empty on SQLite, which has only triggers; ours are compared with their declaration elsewhere.
    """
    if connection.vendor != "postgresql":
        return []
    known = [name for guard in append_only.all_guards() for name in (guard.name, f"{guard.name}_at_once")]
    with connection.cursor() as cursor:
        cursor.execute(_STRANGERS, {"guards": known})
        return sorted(text for (text,) in cursor.fetchall())


def forbidden_privileges(connection: BaseDatabaseWrapper) -> list[tuple[str, str]]:
    """Return (object, privilege) for each privilege of the current PostgreSQL role that it must not have."""
    with connection.cursor() as cursor:
        cursor.execute(_TABLES)
        tables = cursor.fetchall()
        cursor.execute(_COLUMNS)
        columns = cursor.fetchall()
        cursor.execute(_OTHERS)
        others = cursor.fetchall()
        if connection.pg_version >= _PARAMETERS:  # type: ignore[attr-defined]
            cursor.execute(_REPLICA)
            others += cursor.fetchall()
    models = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    found = [
        (table, privilege)
        for table, partition, privilege in tables
        if privilege in _NOBODYS or partition or not append_only.may_delete(table)
    ]
    for table, partition, privilege, held in columns:
        if partition or table not in models or _forbidden(table, privilege, set(held)):
            found.append((table, privilege))
    return sorted(found + others)


def _forbidden(table: str, privilege: str, held: set[str]) -> bool:
    return any(not columns or columns & held for columns in _forbids(table, privilege))


def _forbids(table: str, privilege: str) -> Iterator[frozenset[str]]:
    for guard in append_only.all_guards():
        if guard.table == table and privilege in guard.forbids:
            yield guard.forbids_columns
