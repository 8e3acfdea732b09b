"""Units of measure: case-sensitive codes of UCUM, https://ucum.org/ucum, section 2, and guesses at what was meant."""

import re
from functools import cache, lru_cache
from pathlib import Path
from xml.etree import ElementTree

MAX_LENGTH = 60
ESSENCE = Path(__file__).parent / "data" / "ucum-essence.xml"
_ANNOTATION = re.compile(r"\{[!-z|~]*\}")
# a symbol, such as `GiBy` or `[in_i]`, with an exponent, such as `m2` or `10*6`; or a number
_COMPONENT = re.compile(r"(10[*^]|(?:[A-Za-z%'_]|\[[^\[\]]+\])+)(?:[-+]?[0-9]+)?|[1-9][0-9]*")
# not within brackets, as in `B[10.nV]`
_OPERATOR, _GROUP = re.compile(r"[./](?![^\[]*\])"), re.compile(r"\(([^()]*)\)(?![^\[]*\])")
_WORD = re.compile(r"\{[^}]*\}|\[[^\]]*\]|[A-Za-z_]+")
# What people write for units that have another UCUM code. Some are UCUM codes too, but never meant as such: B is the
# bel, b the barn, Gb the gilbert.
_SIZE_NAMES = {"kilo": "k", "mega": "M", "giga": "G", "tera": "T", "peta": "P", "exa": "E"}
_BINARY_NAMES = {"kibi": "Ki", "mebi": "Mi", "gibi": "Gi", "tebi": "Ti"}
_MEANT = {
    **{f"{size}B": f"{size}By" for size in ("", *"kMGTPEZY", "Ki", "Mi", "Gi", "Ti")},
    **{f"{size}b": f"{size}bit" for size in ("", "k", "M", "G", "T")},
    **{f"{name}byte": f"{size}By" for name, size in {**_SIZE_NAMES, **_BINARY_NAMES}.items()},
    **{f"{name}bit": f"{size}bit" for name, size in {**_SIZE_NAMES, **_BINARY_NAMES}.items()},
    **{f"{name}watt": f"{size}W" for name, size in _SIZE_NAMES.items()},
    **{f"{name}hertz": f"{size}Hz" for name, size in _SIZE_NAMES.items()},
    "KB": "kBy",
    **{f"{size}b": f"{size}bit" for size in _BINARY_NAMES.values()},
    **{f"{size}VA": f"{size}V.A" for size in ("", "k", "M")},
    "Kb": "kbit",
    "KW": "kW",
    "kwh": "kW.h",
    "byte": "By",
    "octet": "By",
    "\u00b0C": "Cel",
    "pcs": "{piece}",
    "sms": "{sms}",
    "watt": "W",
    "joule": "J",
    "ampere": "A",
    "volt": "V",
    "hertz": "Hz",
    "meter": "m",
    "metre": "m",
    "gram": "g",
    "liter": "L",
    "litre": "L",
    "tonne": "t",
    "percent": "%",
    "nanosecond": "ns",
    "microsecond": "us",
    "millisecond": "ms",
    "sec": "s",
    "second": "s",
    "minute": "min",
    "hr": "h",
    "hour": "h",
    "day": "d",
    "week": "wk",
    "month": "mo",
    "year": "a",
    "rps": "{request}/s",
    "qps": "{query}/s",
    "fps": "{frame}/s",
    "IOPS": "{operation}/s",
}
# units times hours, or per second, are often written as one word: kWh, GBh, vCPUh; MBps, Gbps
_JOINED = re.compile(r"(.+?)(hr?|H|ps)")
_THING = re.compile(r"[a-z]?[A-Z]{2,}")
_PER, _TIMES = re.compile(r"\s+per\s+"), re.compile(r"[ -]|(?<=[A-Za-z}])[*\u00b7\u00d7\u22c5](?=[A-Za-z{])")


@cache
def symbols() -> frozenset[str]:
    """Return the unit symbols of UCUM: all units, and metric units with each prefix."""
    prefixes: list[str] = []
    metric: list[str] = []
    others: list[str] = []
    for entry in ElementTree.parse(ESSENCE).getroot():  # noqa: S314  a file of our own
        kind = entry.tag.partition("}")[2]
        metrical = kind == "base-unit" or entry.get("isMetric") == "yes"
        (prefixes if kind == "prefix" else metric if metrical else others).append(entry.attrib["Code"])
    return frozenset([*others, *metric, *(prefix + code for prefix in prefixes for code in metric)])


@lru_cache(1024)
def is_unit(code: str) -> bool:
    """Return whether `code` is a UCUM unit: `By`, `GiBy.h`, `m3/s`, `1`; counts are annotations, such as `{request}`.

    A few UCUM codes that are never meant as such are refused, such as `GB`, the gigabel.
    """
    if not 0 < len(code) <= MAX_LENGTH or not code.isascii():
        return False
    # an annotation stands after a component, or alone for the unit 1
    text = re.sub(r"(?<![^./(])~", "1", _ANNOTATION.sub("~", code)).replace("~", "")
    while (group := _GROUP.search(text)) is not None:
        if not _is_flat(group[1]):
            return False
        text = f"{text[: group.start()]}1{text[group.end() :]}"
    return _is_flat(text)


def _is_flat(text: str) -> bool:
    return all(_is_component(part) for part in _OPERATOR.split(text.removeprefix("/")))


def _is_component(part: str) -> bool:
    match = _COMPONENT.fullmatch(part)
    return match is not None and (match[1] is None or _is_symbol(match[1]))


def _is_symbol(word: str) -> bool:
    return word in symbols() and word not in _MEANT


def instead(code: str) -> str | None:
    """Return the UCUM unit that an invalid `code` probably means: `GBy` for `GB`, `{request}/s` for `requests/s`."""
    guess = _TIMES.sub(".", _WORD.sub(lambda match: _meant(match[0]), _PER.sub("/", code)))
    return guess if is_unit(guess) else None


def _meant(word: str) -> str:
    one = _singular(word)
    # symbols are case-sensitive; names, of more than three letters, are not
    for known in (word, one, _singular(word.lower()) if len(word) > 3 else one):
        if _is_symbol(known):
            return known
        if known in _MEANT:
            return _MEANT[known]
    if (joined := _JOINED.fullmatch(word) or _JOINED.fullmatch(one)) and (measured := _measured(joined[1])):
        return f"{measured}/s" if joined[2] == "ps" else f"{measured}.h"
    if len(word) < 3 or not word[0].isalpha() or word.endswith("iB"):
        return word
    # an annotation is in the singular
    return f"{{{one[:-2] + 'y' if one.endswith('ie') else one}}}"


def _singular(word: str) -> str:
    return word if word.endswith("ss") else word.removesuffix("s")


def _measured(head: str) -> str:
    """Return the unit that the head of a joined word means, empty if none."""
    if head in _MEANT:
        return _MEANT[head]
    # symbols in lower case are parts of other words: dash is no deka-second times hours, maps no milli-years per second
    if _is_symbol(head) and head != head.lower():
        return head
    return f"{{{head}}}" if _THING.fullmatch(head) else ""
