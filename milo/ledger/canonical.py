"""JSON in its one canonical form (RFC 8785)."""

import json
from typing import Any

import orjson
import rfc8785

_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER


class _Fraction(float):
    """A number of which orjson does not know the canonical form."""


def parse(text: str) -> Any:
    """The value of a JSON text, for `canonical`."""
    return json.loads(text, parse_float=_Fraction)


def canonical(value: Any) -> bytes:
    """The canonical form of what JSON can say.

    orjson writes the same, many times faster, unless a number is no integer or a name has letters beyond ASCII,
    which it would put in the order of UTF-8. Raises `ValueError` for what JSON cannot say.
    """
    try:
        fast = orjson.dumps(value, default=_refuse, option=_OPTIONS | orjson.OPT_PASSTHROUGH_SUBCLASS)
    except TypeError:
        return rfc8785.dumps(value)
    return fast if fast.isascii() else rfc8785.dumps(value)


def _refuse(value: Any) -> Any:
    raise TypeError
