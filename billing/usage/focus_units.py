"""Units in the format of FOCUS: https://focus.finops.org/focus-specification/v1-2/, attribute UnitFormat."""

from functools import lru_cache

_SIZES = ("", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti")
_BITS = {f"{size}bit": f"{size.replace('k', 'K')}b" for size in _SIZES}
_BYTES = {f"{size}By": f"{size.replace('k', 'K')}B" for size in _SIZES}
_TIMES = {
    "us": "Microsecond",
    "ms": "Millisecond",
    "s": "Second",
    "min": "Minute",
    "h": "Hour",
    "d": "Day",
    "mo": "Month",
    "a": "Year",
}
_COUNTS = ("Count", "Unit", "Request", "Token", "Connection", "Certificate", "Domain", "Core")


@lru_cache(1024)
def focus_unit(code: str) -> str:
    """Return the FOCUS unit of a UCUM code: GB-Hours for `GBy.h`, Requests/Second for `{request}/s`, Units for `1`.

    A code of another form, or of a unit that FOCUS does not name, is returned unchanged.
    """
    over, slash, under = code.partition("/")
    first, dot, second = over.partition(".")
    one, other = _name(first), _name(second) if dot else None
    if one is None or (dot and other is None) or (slash and under not in _TIMES):
        return code
    name = f"{one}-{_plural(other)}" if other else _plural(one)
    return f"{name}/{_TIMES[under]}" if slash else name


def _name(code: str) -> str | None:
    """Return the FOCUS name, in the singular, of a single unit; None if it has none."""
    if code == "1":
        return "Unit"
    if len(code) > 2 and code[0] == "{" and code.find("}") == len(code) - 1:
        return code[1].upper() + code[2:-1]
    return _BITS.get(code) or _BYTES.get(code) or _TIMES.get(code)


def _plural(name: str) -> str:
    # the platform's own nouns stay as they are: FOCUS defines no plural for them
    return f"{name}s" if name in _COUNTS or name in _TIMES.values() else name
