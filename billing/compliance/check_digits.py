"""Check digit algorithms by name: modules of python-stdnum, and a few that it lacks."""

import re
from collections.abc import Callable, Mapping
from importlib import import_module

from stdnum import luhn

from billing.compliance.table import Row

Check = Callable[[str], bool]
_LITHUANIAN_WEIGHTS = (range(1, 9), (3, 4, 5, 6, 7, 8, 9, 1))
# alphabet of the check character of India's GST numbers
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def check_named(row: Row, column: str, name: str) -> Check:
    """Return the check named in a cell: a module of python-stdnum (`de.vat`) or one of this file (`luhn_mod_36`).

    Raises `BrokenData` for an unknown name.
    """
    if name in _OURS:
        return _OURS[name]
    if not re.fullmatch(r"[a-z0-9_]+(\.[a-z_]+)?", name):
        raise row.broken(column, f"{name!r} is no module")
    try:
        return import_module(f"stdnum.{name}").is_valid  # type: ignore[no-any-return]
    except ImportError as error:
        raise row.broken(column, str(error)) from error


def _is_legal_entity_code(number: str) -> bool:
    """Return whether the last of 9 digits is right for a Lithuanian legal entity code: weighted sum modulo 11."""
    digits = [int(digit) for digit in number]
    rests = [sum(map(int.__mul__, digits[:8], weights)) % 11 for weights in _LITHUANIAN_WEIGHTS]
    return digits[8] == (rests[0] if rests[0] < 10 else rests[1] % 10)


def _is_multiple_of_11(number: str) -> bool:
    return int(number) % 11 == 0


def _ends_in_luhn_mod_36(number: str) -> bool:
    return luhn.is_valid(number, _ALPHABET)


_OURS: Mapping[str, Check] = {
    "lt.code": _is_legal_entity_code,
    "luhn_mod_36": _ends_in_luhn_mod_36,
    "sk.dic": _is_multiple_of_11,
}
