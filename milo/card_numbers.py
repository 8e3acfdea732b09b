"""Card numbers are never accepted, nowhere (compliance.md, "Card numbers")."""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from django.utils.translation import gettext as _
from stdnum import iso11649

from milo import texts
from milo.errors import Cause

_SHORTEST, _LONGEST = 13, 19
# what people and forms put between the groups: white space, dots, dashes, slashes
_SEPARATORS = r"[\s.\-_/\u00b7\u2022\u2212]"
# a UUID (RFC 9562) or a digest in hexadecimal: 1 random one in 300 has digits in a row that pass the check
_MACHINE_MADE = re.compile(
    r"(?<![0-9a-z])(?=[0-9-]{0,36}[a-f])"
    r"(?:[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}|(?:[0-9a-f]{32}){1,2}|[0-9a-f]{40})"
    r"(?![0-9a-z])",
    re.IGNORECASE,
)
_BETWEEN_IDS = re.compile(f"({_MACHINE_MADE.pattern})", re.IGNORECASE)
# an ISO 11649 creditor reference in one piece or in groups of 4, as it is printed; its check digits are its own
_CREDITOR_REFERENCE = re.compile(
    r"(?<![0-9A-Za-z])RF[0-9]{2}(?:[0-9A-Z]{1,21}|(?: [0-9A-Z]{4}){0,5}(?: [0-9A-Z]{1,4})?)(?![0-9A-Za-z])"
)
_DIGIT = re.compile(r"\d")
_RUN = re.compile(rf"\d+(?:{_SEPARATORS}\d+)*")
# nobody sees them: format and control characters, marks drawn over the character before
_UNSEEN = frozenset({"Cf", "Cc", "Mn", "Me"})


def _as_seen(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return "".join(_seen(text))


def _seen(text: str) -> Iterator[str]:
    for character in unicodedata.normalize("NFKC", text):
        category = unicodedata.category(character)
        if category == "Pd":
            yield "-"
        elif category not in _UNSEEN or character.isspace():
            yield character


def _holds(run: str) -> bool:
    """Whether a stretch of whole groups of `run` is a card number, so that a neighbour number hides none.

    Linear in the length of `run`: an annotation may have 256 KiB of digits.
    """
    groups = re.split(_SEPARATORS, run)
    borders = [0, *accumulate(map(len, groups))]
    # Luhn sums up to each position, with the digits at even (odd) positions doubled
    sums: tuple[list[int], list[int]] = ([0], [0])
    for position, digit in enumerate(map(int, "".join(groups))):
        doubled = sum(divmod(2 * digit, 10))
        sums[position % 2].append(sums[position % 2][-1] + doubled)
        sums[1 - position % 2].append(sums[1 - position % 2][-1] + digit)
    return any(
        (sums[end % 2][end] - sums[end % 2][start]) % 10 == 0
        for end in borders
        for start in borders[bisect_left(borders, end - _LONGEST) : bisect_right(borders, end - _SHORTEST)]
    )


def found_in(text: str) -> bool:
    """Whether `text` holds a run of 13 to 19 digits, single separators allowed, that passes the Luhn check.

    UUIDs, digests in hexadecimal and creditor references with right check digits are passed over.
    """
    if len(text) < _SHORTEST and text.isascii():
        return False
    seen = _CREDITOR_REFERENCE.sub(_without_reference, _MACHINE_MADE.sub("~", _as_seen(text)))
    return any(_holds(run) for run in _RUN.findall(seen))


def masked(text: str) -> str:
    """Return `text` with a star for each digit of the runs that hold a card number; ids and the rest stay readable."""
    if not found_in(text):
        return text
    pieces = _BETWEEN_IDS.split(_as_seen(text))
    pieces[::2] = [_RUN.sub(_stars, piece) for piece in pieces[::2]]
    return "".join(pieces)


def _stars(run: re.Match[str]) -> str:
    return _DIGIT.sub("*", run[0]) if _holds(run[0]) else run[0]


def _without_reference(match: re.Match[str]) -> str:
    """The text of a match without the creditor reference that it begins with; the next word may look like a group."""
    groups = match[0].split(" ")
    for count in range(len(groups), 0, -1):
        if iso11649.is_valid("".join(groups[:count])):
            return " ".join(["~", *groups[count:]])
    return match[0]


def causes(value: Any, path: str, unsearched: re.Pattern[str] | None = None) -> list[Cause]:
    """A cause for each text inside `value` (text, list or dict) that holds a card number, which is not repeated.

    Texts whose path `unsearched` matches are passed over: numbers with check digits of their own, and ids of other
    systems, one in ten of which would pass for a card number.
    """
    found = texts.paths(value, path, found_in)
    if unsearched:
        found = [where for where in found if not unsearched.fullmatch(where.removeprefix("."))]
    if not found:
        return []
    message = _("looks like a card number; give a token reference of the payment provider instead")
    return [Cause(where, message) for where in found]
