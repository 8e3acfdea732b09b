"""Migration operations for every history. Migrations refer to them, so their effect must not change."""

from typing import Any

from django.db import migrations, transaction

BATCH = 10_000
_SPLIT = (
    "UPDATE {table} SET history_change_message = substr(history_change_reason, {colon} + 2),"
    " history_change_reason = substr(history_change_reason, 1, {colon} - 1)"
    " WHERE history_id BETWEEN %s AND %s AND history_change_message = '' AND {colon} > 0"
)
_JOIN = (
    "UPDATE {table} SET history_change_reason = history_change_reason || ': ' || history_change_message,"
    " history_change_message = '' WHERE history_id BETWEEN %s AND %s AND history_change_message <> ''"
)
_RANGE = "SELECT coalesce(min(history_id), 0), coalesce(max(history_id), -1) FROM {table}"


class SplitReasons(migrations.RunPython):
    """Move the message of each history row, which followed the reason after a colon, to its own column.

    Seals still verify, because they always had reason and message as two columns. Each batch is a transaction of its
    own, so writers wait for at most one batch, and an interrupted run continues where it stopped. The migration must
    not be atomic.
    """

    def __init__(self, *tables: str) -> None:
        self.tables = tables
        super().__init__(lambda _apps, editor: self.split(editor), lambda _apps, editor: self.join(editor))

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return type(self).__name__, list(self.tables), {}

    def split(self, editor: Any) -> None:
        """Split the reasons that the previous version wrote, over the connection of a schema editor."""
        for table in self.tables:
            _update(editor.connection, table, _SPLIT)

    def join(self, editor: Any) -> None:
        """Join reason and message as in the previous version."""
        for table in self.tables:
            _update(editor.connection, table, _JOIN)


def _update(connection: Any, table: str, statement: str) -> None:
    colon = {"postgresql": "strpos(history_change_reason, ': ')", "sqlite": "instr(history_change_reason, ': ')"}
    written = statement.format(table=table, colon=colon[connection.vendor])
    with connection.cursor() as cursor:
        cursor.execute(_RANGE.format(table=table))
        first, last = cursor.fetchone()
        guards = _guards(cursor, table) if connection.vendor == "postgresql" else []
        for start in range(first, last + 1, BATCH):
            with transaction.atomic(connection.alias):
                # nobody else sees the table without its guard: it is enabled again in the same transaction
                for guard in guards:
                    cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {guard}")
                cursor.execute(written, [start, start + BATCH - 1])
                for guard in guards:
                    cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER {guard}")


def _guards(cursor: Any, table: str) -> list[str]:
    """Return the names of the triggers that refuse changes of history rows."""
    cursor.execute(
        "SELECT tgname FROM pg_catalog.pg_trigger WHERE tgrelid = to_regclass(%s) AND NOT tgisinternal"
        " AND tgname LIKE 'history\\_of\\_%%\\_fixed'",
        [f"public.{table}"],
    )
    return [name for (name,) in cursor.fetchall()]
