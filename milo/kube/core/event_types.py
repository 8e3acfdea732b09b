"""The type of an event, Normal or Warning, by its reason. Applications register their reasons."""

from collections.abc import Iterable
from typing import Literal

EventType = Literal["Normal", "Warning"]
_types: dict[str, EventType] = {}


def classify(*, normal: Iterable[str], warning: Iterable[str]) -> None:
    """Register reasons of events. `warning` holds those that the owner of the object should look into."""
    _types.update(dict.fromkeys(normal, "Normal"))
    _types.update(dict.fromkeys(warning, "Warning"))


def classified() -> frozenset[str]:
    """Return every registered reason."""
    return frozenset(_types)


def type_of(reason: str) -> EventType:
    """Return the type of events with `reason`. Normal for a reason that is no longer registered."""
    return _types.get(reason, "Normal")


def warnings() -> list[str]:
    """Return all reasons of type Warning, sorted."""
    return sorted(reason for reason, event_type in _types.items() if event_type == "Warning")
