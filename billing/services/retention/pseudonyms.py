"""What stands in the place of personal data once their retention has ended; each model says which columns have any."""

from typing import Any

from django.db.models import Model

from milo.ledger.redactions import pseudonym
from milo.ledger.rows import PURGED


def personal(model: type[Model]) -> tuple[str, ...]:
    """Return the columns of a model that hold personal data."""
    columns: tuple[str, ...] = model.columns.personal  # type: ignore[attr-defined]
    return columns


def redact(model: type[Model], row: dict[str, Any]) -> dict[str, Any]:
    """A row of `model`, or of its history, as columns by name, without personal data."""
    gone = row | {column: pseudonym(row[column]) for column in personal(model)}
    return gone | {"history_change_message": ""} if "history_id" in row else gone


__all__ = ["PURGED", "personal", "pseudonym", "redact"]
