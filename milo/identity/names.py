"""Names of people: normalized, in one script a word, and unlike any other to the eye (Unicode UTS 39)."""

import json
import re
import unicodedata
from collections import defaultdict
from functools import cache, lru_cache
from importlib.resources import files

from confusable_homoglyphs import categories
from django.utils.translation import gettext as _

LONGEST = 150
_BETWEEN_WORDS = re.compile(r"[\x00-/:-@\[-`{-\x7f]+")
_LETTERS_MARKS_NUMBERS = "LMN"
# letters and marks that are not seen: https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
# UTS 39, section 5.2, Highly Restrictive; of any script are digits, and marks that go with each
_ANY_SCRIPT = {"COMMON", "INHERITED"}
_TOGETHER = (
    {"LATIN", "HAN", "HIRAGANA", "KATAKANA"},
    {"LATIN", "HAN", "BOPOMOFO"},
    {"LATIN", "HAN", "HANGUL"},
)


def normalize(name: str) -> str:
    """Return a name as it is compared and kept: NFKC, without case, one blank between words and none around them."""
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).split())


def fault(name: str) -> str | None:
    """Say what is wrong with a normalized name; None where nothing is.

    Refused are more than 150 characters, those that are not seen, signs that are not ASCII, and a word of several
    scripts. Japanese, Chinese and Korean words may have Latin letters.
    """
    if not 0 < len(name) <= LONGEST:
        return _("has 1 to %(longest)d characters") % {"longest": LONGEST}
    if _INVISIBLE.search(name) or not all(_is_allowed(character) for character in name):
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
    """Return how a name looks, as given and without case: two names that share a look are taken for each other."""
    return frozenset({_skeleton(name), _skeleton(normalize(name))})


def _skeleton(name: str) -> str:
    """Return the name with each character as the one that stands for all that look like it."""
    prototypes = _prototypes()
    shape = unicodedata.normalize("NFD", name)
    for _again in range(2):
        # a capital O looks like a zero, and like a small o to whoever reads without case
        shape = "".join(prototypes.get(character, character) for character in shape).casefold()
    return shape


@cache
def _prototypes() -> dict[str, str]:
    """Map each confusable character to one that stands for all of its kind.

    The package has the pairs of Unicode's confusables.txt; what is connected by pairs looks alike.
    """
    data = json.loads(files("confusable_homoglyphs").joinpath("confusables.json").read_text(encoding="utf-8"))
    neighbours: dict[str, set[str]] = defaultdict(set)
    for character, others in data.items():
        for other in others:
            # right-to-left ones are set between marks
            pair = character.strip("\u200e"), other["c"].strip("\u200e")
            neighbours[pair[0]].add(pair[1])
            neighbours[pair[1]].add(pair[0])
    prototypes: dict[str, str] = {}
    for start in neighbours:
        if start in prototypes:
            continue
        kind, waiting = {start}, [start]
        while waiting:
            new = neighbours[waiting.pop()] - kind
            kind |= new
            waiting += new
        prototypes |= dict.fromkeys(kind, min(kind, key=_preference))
    return {character: prototype for character, prototype in prototypes.items() if len(character) == 1}


def _preference(text: str) -> tuple[bool, int, bool, str]:
    """Order several letters (`rn` for m) before one, and ASCII letters, small ones first, before others."""
    return not (text.isascii() and text.isalpha()), -len(text), not text.islower(), text
