"""Units by their case-sensitive code of the Unified Code for Units of Measure: https://ucum.org/ucum (section 2)."""

import re
from functools import lru_cache

MAX_LENGTH = 60
_ANNOTATION = re.compile(r"\{[!-z|~]*\}")
# a symbol, such as `GiBy` or `[in_i]`, or a number; each with an exponent, such as `m2` or `10*6`
_COMPONENT = re.compile(r"(?:10[*^][-+]?[0-9]+|(?:[A-Za-z%'\"_]|\[[!-Z^-z|~]+\])+(?:[-+]?[0-9]+)?|[1-9][0-9]*)")


@lru_cache(1024)
def is_unit(code: str) -> bool:
    """Whether `code` has the grammar of a UCUM unit: `By`, `GiBy.h`, `m3/s`, `{request}`, `1`.

    The symbols themselves are not looked up: a platform counts things that no list of units knows.
    """
    if not 0 < len(code) <= MAX_LENGTH or not code.isascii():
        return False
    # an annotation stands after a component, or alone for the unit 1
    text = re.sub(r"(?<![^./(])~", "1", _ANNOTATION.sub("~", code)).replace("~", "")
    return _is_term(text)


def _is_term(text: str) -> bool:
    while (group := re.search(r"\(([^()]*)\)", text)) is not None:
        if not _is_flat(group[1]):
            return False
        text = f"{text[: group.start()]}1{text[group.end() :]}"
    return _is_flat(text)


def _is_flat(text: str) -> bool:
    parts = re.split(r"[./]", text.removeprefix("/"))
    return all(_COMPONENT.fullmatch(part) for part in parts)
