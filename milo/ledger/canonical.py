"""Canonical JSON (RFC 8785)."""

import json
from typing import Any

import orjson
import rfc8785

_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER


class _Fraction(float):
    """A number that orjson does not write in canonical form."""


def parse(text: str) -> Any:
    """Return the value of a JSON text, for `canonical`."""
    return json.loads(text, parse_float=_Fraction)


def canonical(value: Any) -> bytes:
    """Return the canonical form of a JSON value. Raises `ValueError` for other values.

    orjson writes the same bytes many times faster, except for fractions, and for names beyond ASCII, which it sorts by
    UTF-8 instead of UTF-16; these go to rfc8785.
    """
    try:
        fast = orjson.dumps(value, default=_refuse, option=_OPTIONS | orjson.OPT_PASSTHROUGH_SUBCLASS)
    except TypeError:
        return rfc8785.dumps(value)
    return fast if fast.isascii() else rfc8785.dumps(value)


def _refuse(value: Any) -> Any:
    raise TypeError
