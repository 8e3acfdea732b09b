"""Sentences about changes that others made while a form was open: who, when, and each field before and after."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from django.utils.text import Truncator
from django.utils.translation import gettext as _

from milo.admin.forms import ActForm
from milo.admin.messages import in_their_format, refusal_text
from milo.admin.panels import moment
from milo.admin.reasons import reason_text
from milo.admin.wording import in_words, readable
from milo.kube.models import Change
from milo.kube.store import changes

SHOWN = 10
_LONGEST = 200
_NOTHING: dict[str, Any] = {}
# fields that follow from others in the manifest
_DERIVED = frozenset({"conditions", "reviewedHash"})
_PARTS = ("labels", "annotations"), ("spec", "status")


def changes_since(row: Any, version: int, form: ActForm) -> list[str]:
    """Return a sentence for each revision of `row` after `version`, newest first, at most `SHOWN` of them.

    Fields are called by their labels in `form`.
    """
    revisions = changes.newest(row, SHOWN + 1)
    sentences = [
        _sentence(after, before, form) for after, before in pairwise(revisions) if after.resource_version > version
    ]
    if len(revisions) > SHOWN and revisions[-1].resource_version > version:
        sentences.append(_("Earlier changes are in the history."))
    return sentences


def _sentence(revision: Change, before: Change, form: ActForm) -> str:
    fields = [
        f"{_label(path, form)}: {_value(was)} \N{RIGHTWARDS ARROW} {_value(now)}"
        for path, was, now in _differences(before.manifest, revision.manifest)
    ]
    return _("%(who)s changed it at %(when)s: %(what)s") % {
        "who": revision.actor,
        "when": moment(revision.at),
        "what": "; ".join(fields) or refusal_text(revision.message) or reason_text(revision.reason),
    }


def _differences(before: dict[str, Any], after: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield (path, value before, value after) for each changed field of the manifest."""
    metadata, rest = _PARTS
    for part in metadata:
        was, now = before.get("metadata", _NOTHING).get(part), after.get("metadata", _NOTHING).get(part)
        if was != now:
            yield f"metadata.{part}", was, now
    for part in rest:
        yield from _within(part, before.get(part), after.get(part))


def _within(path: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    if before == after:
        return
    if not any(isinstance(value, dict) for value in (before, after)):
        yield path, before, after
        return
    before, after = (value if isinstance(value, dict) else _NOTHING for value in (before, after))
    for name in sorted((before.keys() | after.keys()) - _DERIVED):
        yield from _within(f"{path}.{name}", before.get(name), after.get(name))


def _label(path: str, form: ActForm) -> str:
    """Return the label of the form's field for a path, else the path by labels: `Payment profile - Reference`."""
    field = form.fields.get(form.paths.get(path, ""))
    if field and field.label:
        return str(field.label)
    return in_words(path)


def _value(value: Any) -> str:
    return readable(value, label=in_words, text=lambda scalar: Truncator(in_their_format(str(scalar))).chars(_LONGEST))
