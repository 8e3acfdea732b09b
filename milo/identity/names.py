"""Names of users: normalized, one script per word, and not confusable with another name (Unicode UTS 39)."""

import json
import re
import unicodedata
from collections import defaultdict
from functools import cache, lru_cache
from importlib.resources import files

from confusable_homoglyphs import categories
from django.utils.translation import gettext as _

from milo.texts import INVISIBLE

LONGEST = 150
_BETWEEN_WORDS = re.compile(r"[\x00-/:-@\[-`{-\x7f]+")
_LETTERS_MARKS_NUMBERS = "LMN"
# UTS 39, section 5.2, Highly Restrictive. Digits and combining marks go with every script
_ANY_SCRIPT = {"COMMON", "INHERITED"}
_TOGETHER = (
    {"LATIN", "HAN", "HIRAGANA", "KATAKANA"},
    {"LATIN", "HAN", "BOPOMOFO"},
    {"LATIN", "HAN", "HANGUL"},
)


def normalize(name: str) -> str:
    """Return the stored form of a name: NFKC, case-folded, single spaces between words, none around them."""
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).split())


def fault(name: str) -> str | None:
    """Return what is wrong with a normalized name; None if it is valid.

    Refused are names over 150 characters, invisible characters, punctuation outside ASCII, and words that mix scripts.
    Japanese, Chinese and Korean words may contain Latin letters.
    """
    if not 0 < len(name) <= LONGEST:
        return _("has 1 to %(longest)d characters") % {"longest": LONGEST}
    if INVISIBLE.search(name) or not all(_is_allowed(character) for character in name):
        return _("has letters, digits, blanks and signs of ASCII alone")
    for word in _BETWEEN_WORDS.split(name):
        scripts = categories.unique_aliases(word) - _ANY_SCRIPT
        if len(scripts) > 1 and not any(scripts <= together for together in _TOGETHER):
            return _("mixes scripts in the word %(word)s") % {"word": word}
    return None


def _is_allowed(character: str) -> bool:
    if character.isascii():
        return character.isprintable()
    return unicodedata.category(character)[0] in _LETTERS_MARKS_NUMBERS


@lru_cache(100_000)
def looks(name: str) -> frozenset[str]:
    """Return the skeletons of a name, as written and normalized. Names that share a skeleton are confusable."""
    return frozenset({_skeleton(name), _skeleton(normalize(name))})


def _skeleton(name: str) -> str:
    """Return the name with each character replaced by the prototype of all that look like it (UTS 39, section 4)."""
    prototypes = _prototypes()
    shape = unicodedata.normalize("NFD", name)
    for _again in range(2):
        # twice: a capital O looks like a zero, and once case is folded like a small o
        shape = "".join(prototypes.get(character, character) for character in shape).casefold()
    return shape


@cache
def _prototypes() -> dict[str, str]:
    """Map each confusable character to the prototype of its class.

    The package contains the pairs of Unicode's confusables.txt. A class is a connected component of these pairs.
    """
    data = json.loads(files("confusable_homoglyphs").joinpath("confusables.json").read_text(encoding="utf-8"))
    neighbours: dict[str, set[str]] = defaultdict(set)
    for character, others in data.items():
        for other in others:
            # right-to-left characters are enclosed in left-to-right marks
            pair = character.strip("\u200e"), other["c"].strip("\u200e")
            neighbours[pair[0]].add(pair[1])
            neighbours[pair[1]].add(pair[0])
    prototypes: dict[str, str] = {}
    for start in neighbours:
        if start in prototypes:
            continue
        component, waiting = {start}, [start]
        while waiting:
            new = neighbours[waiting.pop()] - component
            component |= new
            waiting += new
        prototypes |= dict.fromkeys(component, min(component, key=_preference))
    return {character: prototype for character, prototype in prototypes.items() if len(character) == 1}


def _preference(text: str) -> tuple[bool, int, bool, str]:
    """Return the sort key of prototypes: ASCII letters first; among them the longest (`rn` for m), then lower case."""
    return not (text.isascii() and text.isalpha()), -len(text), not text.islower(), text
