"""Whether an event is Normal or a Warning: its reason decides, by the table that the applications fill."""

from collections.abc import Iterable
from typing import Literal

EventType = Literal["Normal", "Warning"]
_types: dict[str, EventType] = {}


def classify(*, normal: Iterable[str], warning: Iterable[str]) -> None:
    """Register reasons of events; those of `warning` are bad news to whoever looks after the object."""
    _types.update(dict.fromkeys(normal, "Normal"))
    _types.update(dict.fromkeys(warning, "Warning"))


def classified() -> frozenset[str]:
    """Return every reason in the table."""
    return frozenset(_types)


def type_of(reason: str) -> EventType:
    """Return the type of the events of `reason`; Normal for one that no version of the table knows any more."""
    return _types.get(reason, "Normal")


def warnings() -> list[str]:
    """Return the reasons of all Warnings."""
    return sorted(reason for reason, event_type in _types.items() if event_type == "Warning")
