"""What one usage event reports, and the two hashes that stand for it: of its identity and of its content."""

import hashlib
from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True)
class Fact:
    """One reported usage: `quantity` is a decimal in canonical form, `time` an instant in UTC, `instant` it as text.

    `key` is the hash of (source, id), `content` the hash of everything else; `corrects` is the key of the event that it
    corrects, None if it is no correction. A hash is 128 bits in hexadecimal.
    """

    source: str
    id: str
    type: str
    time: datetime
    project: str
    service: str
    meter: str
    quantity: str
    unit: str
    dimensions: str
    corrects: str | None
    key: str
    content: str
    instant: str


def key_of(source: str, id: str) -> str:
    """Return the hash of (source, id), which CloudEvents 1.0 requires to be unique for each event."""
    return _hash(f"{source}\n{id}")


def text_of(type: str, service: str, meter: str, unit: str, dimensions: str) -> str:
    """Return what was measured as one text; `dimensions` are JSON with sorted keys."""
    return f"{type}\n{service}\n{meter}\n{unit}\n{dimensions}"


def content_of(instant: str, project: str, quantity: str, corrects: str | None, text: str) -> str:
    """Return the hash of all that an event says besides (source, id); `text` as `text_of` returns it."""
    return _hash(f"{instant}\n{project}\n{quantity}\n{corrects}\n{text}")


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
