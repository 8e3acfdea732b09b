"""Primary keys as texts of requests."""

_LONGEST = 18
"""Digits that are sure to fit the column."""


def is_key(text: str) -> bool:
    """Return whether `text` may be a primary key: ASCII digits, and no more than a key has."""
    return text.isascii() and text.isdecimal() and len(text) <= _LONGEST
