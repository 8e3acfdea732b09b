"""Find and mask card numbers, which no field accepts (docs/compliance.md, "Card numbers").

Start with `found_in`; `causes` applies it to a manifest, `masked` to a text for people.
"""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import accumulate, groupby, pairwise
from typing import Any
from urllib.parse import unquote

from django.utils.translation import gettext as _
from stdnum import iso11649

from milo import texts
from milo.errors import Cause

_SHORTEST, _LONGEST = 13, 19
# separators of groups: white space, dots, dashes, slashes
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
_GROUP = re.compile(r"\d+")
_RUN = re.compile(rf"\d+(?:{_SEPARATORS}\d+)*")
# two blanks, a comma and a blank: between the numbers of a list too, so only numbers of a brand count
_WIDE_SEPARATORS = r"[\s.,\-_/\u00b7\u2022\u2212]{1,3}"
# with `+` for `*` the search would be quadratic in the length of a run
_WIDE_RUN = re.compile(rf"\d+(?:{_WIDE_SEPARATORS}\d+)*")
# ISO/IEC 7812: the numbers that the brands issue, by their first digits and their length
_ISSUED = re.compile(
    r"4\d{12}|4\d{15}|4\d{18}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|3(?:0[0-5]|[689]\d)\d{11,16}|35(?:2[89]|[3-8]\d)\d{12,15}|6(?:011|4[4-9]\d|5\d\d)\d{12,15}|62\d{14,17}"
    r"|(?:5018|5020|5038|5[68]\d\d|6304|67\d\d)\d{9,15}"
)
# replaces a card number inside a digest; searched texts have none, because control characters are dropped
_FOUND = "\x00"
_DIGEST, _PADDING = 32, 4
"""A digest counts as a padded card number if its other digits are at most `_PADDING` different ones."""
_LONGEST_FILLER = 8
"""Longest filler between groups, where all fillers are the same: `|`, ` - `, `&nbsp;`."""
# invisible: format and control characters, and marks drawn over the previous character
_UNSEEN = frozenset({"Cf", "Cc", "Mn", "Me"})
# invisible too, although their category is that of letters or symbols
_FILLERS = frozenset("\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")


def _as_seen(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return "".join(_seen(text))


def _seen(text: str) -> Iterator[str]:
    for character in unicodedata.normalize("NFKC", text):
        category = unicodedata.category(character)
        if category == "Pd":
            yield "-"
        elif category == "No":
            # digits in circles, which NFKC does not change
            yield str(unicodedata.digit(character, character))
        elif character not in _FILLERS and (category not in _UNSEEN or character.isspace()):
            yield character


def _holds(run: str) -> bool:
    """Return whether consecutive groups of `run` are a card number; numbers beside it do not hide it."""
    groups = re.split(_SEPARATORS, run)
    return any(_passing("".join(groups), [0, *accumulate(map(len, groups))])) or any(map(_is_padded_run, groups))


def _holds_issued(run: str) -> bool:
    """Like `_holds`, for groups further apart: only numbers that a brand issues count."""
    return _is_issued(re.split(_WIDE_SEPARATORS, run))


def _is_issued(groups: list[str]) -> bool:
    return any(map(_ISSUED.fullmatch, _passing(_ascii("".join(groups)), [0, *accumulate(map(len, groups))])))


def _evenly_split(seen: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each number that a brand issues and whose groups all have the same filler between them."""
    groups = list(_GROUP.finditer(seen))
    fillers = [seen[left.end() : right.start()] for left, right in pairwise(groups)]
    first = 0
    for filler, places in groupby(fillers):
        last = first + sum(1 for _place in places)
        run = [group[0] for group in groups[first : last + 1]]
        if _is_filler(filler, len(run)) and _is_issued(run):
            yield groups[first].start(), groups[last].end()
        first = last


def _is_filler(text: str, groups: int) -> bool:
    """Return whether `text` may separate `groups` groups of one number; a word between two numbers may not."""
    return len(text) <= _LONGEST_FILLER and (groups > 2 or not any(map(str.isalpha, text)))


def _is_padded_run(run: str) -> bool:
    """Like `_is_padded`, for decimal digits. A run shorter than a digest counts only if one repeated digit pads it."""
    return len(run) > _LONGEST and _is_padded(_ascii(run), _PADDING if len(run) >= _DIGEST else 1)


def _is_padded(digest: str, padding: int = _PADDING) -> bool:
    """Return whether a text of hexadecimal digits is a card number with padding before or behind it.

    1 of 10,000 random texts is a false positive.
    """
    runs = [run for run in re.findall("[0-9]+", digest) if len(run) >= _SHORTEST]
    for run in runs:
        for number in _passing(run, list(range(len(run) + 1))):
            if _ISSUED.fullmatch(number) and (number == run or len(set(digest.replace(number, ""))) <= padding):
                return True
    return False


def _ascii(digits: str) -> str:
    return "".join(str(int(digit)) for digit in digits)


def _passing(digits: str, borders: list[int]) -> Iterator[str]:
    """Yield each stretch of 13 to 19 digits between two `borders` (ascending positions) that passes the Luhn check.

    The time is linear in the length of `digits`, because an annotation may have 256 KiB of them: prefix sums make the
    check of one stretch constant. The parity of its end decides which digits are doubled, so there are two of them.
    """
    if len(digits) < _SHORTEST:
        return
    # Luhn sums up to each position, with the digits at even (odd) positions doubled
    sums: tuple[list[int], list[int]] = ([0], [0])
    for position, digit in enumerate(map(int, digits)):
        doubled = sum(divmod(2 * digit, 10))
        sums[position % 2].append(sums[position % 2][-1] + doubled)
        sums[1 - position % 2].append(sums[1 - position % 2][-1] + digit)
    for end in borders:
        for start in borders[bisect_left(borders, end - _LONGEST) : bisect_right(borders, end - _SHORTEST)]:
            if (sums[end % 2][end] - sums[end % 2][start]) % 10 == 0:
                yield digits[start:end]


def found_in(text: str) -> bool:
    """Return whether `text` holds 13 to 19 digits, single separators allowed, that pass the Luhn check.

    Groups further apart (two blanks, a comma), or with the same short filler between each two, count only if a brand
    issues such a number. UUIDs, hexadecimal digests that are no padded card number, and creditor references with valid
    check digits are skipped.
    """
    if _has_few_digits(text):
        return False
    # URIs may escape blanks and every other character
    return _is_found(text) or ("%" in text and _is_found(unquote(text)))


def _is_found(text: str) -> bool:
    seen = _CREDITOR_REFERENCE.sub(_without_reference, _MACHINE_MADE.sub(_without_digest, _as_seen(text)))
    # most texts with many digits are an id, of which nothing is left
    return _FOUND in seen or (not _has_few_digits(seen) and any(_stretches(seen)))


def _has_few_digits(text: str) -> bool:
    return text.isascii() and sum(map(text.count, "0123456789")) < _SHORTEST


def _stretches(seen: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each run that holds a card number."""
    yield from (run.span() for run in _RUN.finditer(seen) if _holds(run[0]))
    yield from (run.span() for run in _WIDE_RUN.finditer(seen) if _holds_issued(run[0]))
    yield from _evenly_split(seen)


def _without_digest(match: re.Match[str]) -> str:
    return _FOUND if "-" not in match[0] and _is_padded(match[0]) else "~"


def masked(text: str) -> str:
    """Return `text` with a star for each digit of the runs that hold a card number; ids and the rest stay readable."""
    if not found_in(text):
        return text
    if "%" in text and _is_found(unquote(text)):
        text = unquote(text)
    return _with_stars(text) if _is_found(text) else text


def masked_lines(text: str) -> str:
    """Return a text with a value on each line, each masked by itself: numbered names below one another stay readable.

    Their digits with the same signs between them would be a number in groups.
    """
    return "\n".join(map(masked, text.splitlines()))


def _with_stars(text: str) -> str:
    pieces = _BETWEEN_IDS.split(_as_seen(text))
    pieces[::2] = map(_without_numbers, pieces[::2])
    pieces[1::2] = [_DIGIT.sub("*", id) if "-" not in id and _is_padded(id) else id for id in pieces[1::2]]
    return "".join(pieces)


def _without_numbers(piece: str) -> str:
    # find all before masking: the first groups of a number may belong to another run too
    for begin, end in list(_stretches(piece)):
        piece = piece[:begin] + _DIGIT.sub("*", piece[begin:end]) + piece[end:]
    return piece


def excerpt(text: str, length: int) -> str:
    """Return the first `length` characters of `text`, masked before it is cut: half a number is not recognized."""
    return masked(text)[:length]


def _without_reference(match: re.Match[str]) -> str:
    """Return the match without its leading creditor reference; the match may include a next word like a group."""
    groups = match[0].split(" ")
    for count in range(len(groups), 0, -1):
        if iso11649.is_valid("".join(groups[:count])):
            return " ".join(["~", *groups[count:]])
    return match[0]


def causes(value: Any, path: str, unsearched: re.Pattern[str] | None = None) -> list[Cause]:
    """Return a cause for each text inside `value` (text, list or dict) that holds a card number; none repeats it.

    `path` is that of `value`. Texts whose path matches `unsearched` are skipped: numbers with their own check digits,
    and ids of other systems, one in ten of which would be a false positive.
    """
    found = texts.paths(value, path, found_in)
    if unsearched:
        found = [where for where in found if not unsearched.fullmatch(where.removeprefix("."))]
    if not found:
        return []
    message = _("looks like a card number; give a token reference of the payment provider instead")
    return [Cause(where, message) for where in found]
