"""What is in force, compared with the past that explains it."""

from dataclasses import dataclass

from django.db import connection

from milo.ledger.tables import Table


@dataclass(frozen=True, slots=True)
class Difference:
    """A live row that its newest history row does not explain."""

    table: str
    row: int
    message: str


def difference(table: Table) -> Difference | None:
    """The first row of the model whose history `table` keeps that differs from its newest history row, if any."""
    assert table.recorded
    name, key = table.recorded._meta.db_table, str(table.recorded._meta.pk.column)
    columns = [
        str(column.column)
        for column in table.recorded._meta.concrete_fields
        if column.name not in table.unrecorded and not column.primary_key
    ]
    differs = " OR ".join(f"live.{column} IS DISTINCT FROM past.{column}" for column in columns)
    changed = (
        f"SELECT past.{key} FROM {table.name} AS past"
        f" JOIN (SELECT max(history_id) AS newest FROM {table.name} GROUP BY {key}) AS last"
        f" ON last.newest = past.history_id LEFT JOIN {name} AS live ON live.{key} = past.{key}"
        f" WHERE CASE past.history_type WHEN '-' THEN live.{key} IS NOT NULL"
        f" ELSE live.{key} IS NULL OR {differs} END ORDER BY past.{key} LIMIT 1"
    )
    unexplained = (
        f"SELECT live.{key} FROM {name} AS live"
        f" WHERE NOT EXISTS (SELECT 1 FROM {table.name} AS past WHERE past.{key} = live.{key}) LIMIT 1"
    )
    for query, message in (
        (changed, "is not what its newest history row says"),
        (unexplained, "has no history"),
    ):
        with connection.cursor() as cursor:
            cursor.execute(query)
            if found := cursor.fetchone():
                return Difference(name, int(found[0]), message)
    return None
