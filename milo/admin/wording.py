"""Values of manifests on one line, and names of fields as words."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from django.utils.text import capfirst
from django.utils.translation import gettext as _

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_INDEX = re.compile(r"\[[0-9]+\]")
# a path of a field, and what a message says of it
_SAID = re.compile(
    r"\b((?:metadata|reviewed|spec|status)(?:\.[A-Za-z][A-Za-z0-9]*(?:\[[0-9]+\])?)+)(:? ?)((?<= )[^;:]*[^;: ])?"
)
# parts of paths that say where a field is, not what
_OUTER = frozenset({"metadata", "spec", "status", "reviewed", "name"})
_labels: list[Callable[[str], str]] = []
_groups: set[str] = set()


def register_labels(label_of: Callable[[str], str], *, groups: Iterable[str]) -> None:
    """Register what calls the field of a manifest by its label; `groups` are fields that hold others, without one."""
    _labels[:] = [label_of]
    _groups.update(groups)


def words(name: str) -> str:
    """Return the name of a manifest's field or kind as words: `Payment profile` for `paymentProfile`."""
    return str(capfirst(" ".join(_WORDS.split(name)).lower()))


def in_words(path: str) -> str:
    """Return the path of a field in a manifest by its labels: `Billing account` for `spec.billingAccountRef.name`."""
    parts = [part for part in _INDEX.sub("", path).split(".") if part not in _OUTER]
    called = [part for part in parts if part not in _groups] or parts[-1:]
    return " - ".join(label(part.removesuffix("Ref")) for part in called) or words(path)


def fields_in_words(text: str) -> str:
    """Return a text with the paths of fields inside it by their labels, and what is said of them in their language.

    Messages of the ledger are English whoever acts: `spec.paymentTerms.netDays is required; ...`.
    """
    return _SAID.sub(lambda said: f"{in_words(said[1])}{said[2]}{_(said[3]) if said[3] else ''}", text)


def label(name: str) -> str:
    """Return the registered label of a manifest's field or kind, or else its words."""
    return _labels[0](name) if _labels else words(name)


def readable(value: Any, *, label: Callable[[str], str] = str, text: Callable[[Any], str] = str) -> str:
    """Return a value of a manifest on one line; a dash for nothing.

    Fields are sorted, for PostgreSQL keeps no order of them. `label` words the name of a field, `text` a scalar.
    """
    if value in (None, "", [], {}):
        return "-"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, dict):
        shown = ((label(name), readable(inner, label=label, text=text)) for name, inner in sorted(value.items()))
        return "; ".join(f"{name}: {inner}" for name, inner in shown)
    if isinstance(value, list):
        return ", ".join(readable(inner, label=label, text=text) for inner in value)
    return text(value)
