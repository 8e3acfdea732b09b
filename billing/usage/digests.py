"""The digest of an intake, which proves its events: SHA-256 of one line for each, in the order of their keys.

A line is `KEY CONTENT PROJECT METER INSTANT` and a line feed: the hashes of the event in hexadecimal, the primary keys
of its project and its meter, and its time in UTC as `instant` writes it.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime

import orjson


def instant(time: datetime) -> str:
    """Return an instant (UTC) as text, as `str` would, in a fifth of the time."""
    return orjson.dumps(time).decode()[1:-1].replace("T", " ")


def line(key: str, content: str, project_id: int, meter_id: int, time: str) -> str:
    """Return the line of an event; `time` as `instant` returns it."""
    return f"{key} {content} {project_id} {meter_id} {time}\n"


def digest(lines: Iterable[str]) -> str:
    """Return the digest (hexadecimal) of the lines of an intake, in any order."""
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()
