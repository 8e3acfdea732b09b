"""Operations of migrations that concern every history. Migrations name them, so what they do stays as it is."""

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
    """Give the message of each history row a column of its own, which stood behind the reason and a colon.

    Seals hold: to them, reason and message have always been two columns. Rows are written in batches, each in a
    transaction of its own, so that writers wait for one batch at most; what was interrupted goes on where it stopped.
    A migration that names it is not atomic.
    """

    def __init__(self, *tables: str) -> None:
        self.tables = tables
        super().__init__(lambda _apps, editor: self.split(editor), lambda _apps, editor: self.join(editor))

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return type(self).__name__, list(self.tables), {}

    def split(self, editor: Any) -> None:
        """Split what the version before wrote, over the connection of a schema editor."""
        for table in self.tables:
            _update(editor.connection, table, _SPLIT)

    def join(self, editor: Any) -> None:
        """Write reason and message as the version before did."""
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
                # nobody else sees a moment without the guard: its absence ends with the transaction
                for guard in guards:
                    cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {guard}")
                cursor.execute(written, [start, start + BATCH - 1])
                for guard in guards:
                    cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER {guard}")


def _guards(cursor: Any, table: str) -> list[str]:
    """The names of the triggers that refuse to change a row of history."""
    cursor.execute(
        "SELECT tgname FROM pg_catalog.pg_trigger WHERE tgrelid = to_regclass(%s) AND NOT tgisinternal"
        " AND tgname LIKE 'history\\_of\\_%%\\_fixed'",
        [f"public.{table}"],
    )
    return [name for (name,) in cursor.fetchall()]
