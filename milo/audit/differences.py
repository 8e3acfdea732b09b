"""History rows with the rows before them, and what changed between the two."""

from typing import Any

from django.db.models import Model, OuterRef, QuerySet, Subquery


def with_previous(rows: "QuerySet[Any]") -> list[tuple[Any, Any]]:
    """Return history rows of one model, each with the row before it of the same object; None for the first.

    Takes two queries, however many rows there are.
    """
    history = rows.model._base_manager
    previous = history.filter(id=OuterRef("id"), history_id__lt=OuterRef("history_id")).order_by("-history_id")
    found = list(rows.annotate(previous=Subquery(previous.values("history_id")[:1])))
    earlier = history.in_bulk([row.previous for row in found if row.previous])
    return [(row, earlier.get(row.previous)) for row in found]


def difference(model: type[Model], before: Any, after: Any, hidden: set[str]) -> dict[str, tuple[Any, Any]]:
    """Return what differs between two history rows of `model`: the values before and after, by name of the column.

    Nothing differs from None. Columns in `hidden`, and those that the history does not copy, are left out.
    """
    if before is None:
        return {}
    columns = [column for column in model._meta.concrete_fields if column.name not in hidden]
    values = {
        column.name: (getattr(before, column.attname), getattr(after, column.attname))
        for column in columns
        if hasattr(after, column.attname)
    }
    return {name: (was, now) for name, (was, now) in values.items() if was != now}
