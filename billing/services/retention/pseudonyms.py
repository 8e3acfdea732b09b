"""Replace personal data by pseudonyms once their retention has ended; each model classifies its columns."""

from typing import Any

from django.db.models import Model

from milo.ledger.redactions import pseudonym
from milo.ledger.rows import PURGED


def personal(model: type[Model]) -> tuple[str, ...]:
    """Return the columns of a model that hold personal data."""
    columns: tuple[str, ...] = model.columns.personal  # type: ignore[attr-defined]
    return columns


def redact(model: type[Model], row: dict[str, Any]) -> dict[str, Any]:
    """Return `row`, columns by name of `model` or of its history, with pseudonyms for personal data."""
    redacted = row | {column: pseudonym(row[column]) for column in personal(model)}
    return redacted | {"history_change_message": ""} if "history_id" in row else redacted


__all__ = ["PURGED", "personal", "pseudonym", "redact"]
