"""Rules of Kubernetes for names, labels, annotations, finalizers and owner references."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.crypto import get_random_string
from django.utils.translation import gettext as _

from milo.card_numbers import excerpt
from milo.errors import Cause

LABEL_LENGTH = 63
DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
PART = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
CLUSTER_SCOPED_EVENTS = "default"
"""The namespace where kubectl looks for the events of cluster-scoped objects."""
SIZE_LIMIT = 256 * 1024
FINALIZERS_LIMIT = OWNERS_LIMIT = 100


def generated_name(stem: str) -> str:
    """Return `stem`, cut to 58 characters, with five random characters. Without vowels, so they form no words."""
    return stem[:58] + get_random_string(5, "bcdfghjklmnpqrstvwxz2456789")


def with_suffix(stem: str, suffix: str) -> str:
    """Return `stem` with `suffix`, which begins with `-`; the stem is cut to what a DNS-1123 label leaves it."""
    return stem[: LABEL_LENGTH - len(suffix)].rstrip("-") + suffix


def name_causes(name: str, field: str = "metadata.name") -> list[Cause]:
    """Return a cause unless `name` is a DNS-1123 label (lower case letters, digits and `-`, at most 63)."""
    if DNS_LABEL.fullmatch(name):
        return []
    message = _("must be lower case letters, digits and '-', at most 63, no '-' at either end")
    return [Cause(field, message)]


def is_qualified_name(key: str) -> bool:
    """Return whether `key` is valid for a label or annotation: a name with an optional `prefix/`."""
    prefix, slash, part = key.rpartition("/")
    return bool(PART.fullmatch(part)) and (not slash or bool(_PREFIX.fullmatch(prefix)))


def is_label_value(value: str) -> bool:
    """Return whether `value` is a valid label value. "" is."""
    return not value or bool(PART.fullmatch(value))


def metadata_causes(labels: Mapping[str, str], annotations: Mapping[str, str]) -> list[Cause]:
    """Return a cause for every invalid label and annotation.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
    """
    causes = [
        Cause(f"metadata.{where}", _("%(key)r is not a qualified name") % {"key": excerpt(key, 80)})
        for where, pairs in (("labels", labels), ("annotations", annotations))
        for key in pairs
        if not is_qualified_name(key)
    ]
    causes += [
        Cause(
            "metadata.labels",
            _("the value of %(key)r is not a valid label value") % {"key": excerpt(key, 80)},
        )
        for key, value in labels.items()
        if not is_label_value(value)
    ]
    for where, pairs in (("labels", labels), ("annotations", annotations)):
        # Kubernetes limits annotations to this. Labels it limits only by the size of a request, which patches evade
        if sum(len(key) + len(value) for key, value in pairs.items()) > SIZE_LIMIT:
            causes.append(Cause(f"metadata.{where}", _("may hold at most 256 KiB"), "FieldValueTooLong"))
    return causes


def finalizer_causes(finalizers: Sequence[str]) -> list[Cause]:
    """Return a cause for every invalid finalizer: qualified names, no duplicates, at most 100.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/finalizers/
    """
    where = "metadata.finalizers"
    if len(finalizers) > FINALIZERS_LIMIT:
        message = _("may hold at most %(limit)d entries") % {"limit": FINALIZERS_LIMIT}
        return [Cause(where, message, "FieldValueTooMany")]
    causes = [
        Cause(f"{where}[{index}]", _("%(key)r is not a qualified name") % {"key": excerpt(name, 80)})
        for index, name in enumerate(finalizers)
        if not is_qualified_name(name)
    ]
    if len(set(finalizers)) < len(finalizers):
        causes.append(Cause(where, _("names one twice"), "FieldValueDuplicate"))
    return causes


def owner_reference_causes(references: Sequence[Mapping[str, Any]]) -> list[Cause]:
    """Return a cause for every invalid owner reference. The owners need not exist.

    As in `ValidateOwnerReferences` of Kubernetes: apiVersion, kind, name and uid are required, uids are unique, and at
    most one owner is the controller.
    """
    where = "metadata.ownerReferences"
    if len(references) > OWNERS_LIMIT:
        message = _("may hold at most %(limit)d entries") % {"limit": OWNERS_LIMIT}
        return [Cause(where, message, "FieldValueTooMany")]
    causes = [
        Cause.required(f"{where}[{index}].{name}")
        for index, reference in enumerate(references)
        for name in ("apiVersion", "kind", "name", "uid")
        if not reference.get(name)
    ]
    uids = [reference.get("uid") for reference in references]
    if len(set(uids)) < len(uids):
        causes.append(Cause(where, _("names one twice"), "FieldValueDuplicate"))
    if sum(bool(reference.get("controller")) for reference in references) > 1:
        causes.append(Cause(where, _("may name one controller only")))
    return causes
