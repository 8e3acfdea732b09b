"""History that is dated after its seal: applications say which rows of theirs a wrong clock explains."""

from collections.abc import Callable, Mapping
from typing import Any

Explains = Callable[[Mapping[str, Any]], bool]
_explanations: dict[str, Explains] = {}


def explain(table: str, explains: Explains) -> None:
    """Have `explains` called with the columns of each late row of a history. Call it when the application is loaded."""
    _explanations[table] = explains


def is_explained(table: str, columns: Mapping[str, Any]) -> bool:
    """Return whether the application of a history knows why this row is dated after its seal."""
    explains = _explanations.get(table)
    return explains is not None and explains(columns)
