"""Server-side apply: https://kubernetes.io/docs/reference/using-api/server-side-apply/

A manifest says what its manager wants of an object; what it wanted before and wants no more goes. Values are compared
as they are stored, so that a tax number with blanks is the one without.
"""

from collections import defaultdict
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson
from django.utils.translation import gettext as _

from milo.errors import Cause, Conflict, Refused
from milo.kube.store.field_sets import (
    Manifest,
    Path,
    differing,
    keyed,
    leaves,
    listed,
    readable,
    unowned,
    value_at,
    without,
)
from milo.kube.store.managers import APPLY, MANAGERS_LIMIT, Owner, Stored, entries, owners_of, too_many
from milo.kube.store.manifests import instant
from milo.kube.store.patches import merge_patch

KUBECTL = "kubectl"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
CAUSES_LIMIT = 100
_ANNOTATION = ("metadata", "annotations", LAST_APPLIED)


def apply(
    live: Manifest | None,
    applied: Any,
    manager: str,
    *,
    force: bool,
    at: datetime,
    stored: Stored = lambda manifest: manifest,
) -> Manifest:
    """The manifest that results when `manager` applies `applied` to `live` (None: there is no such object yet).

    Fields that the manager applied before and now leaves out are removed, unless another manager owns them too.
    What changes nothing that is `stored` returns the managedFields of `live` as they are. Raises `Conflict`, with a
    cause for each field, where the value of a field that another manager owns would change, unless `force` takes it
    over; `Refused` (BadRequest) where `applied` is no manifest or holds managedFields; `Invalid` for more than 50
    managers.
    """
    intent = _intent(applied)
    before, wanted = keyed(live or {}), frozenset(leaves(keyed(intent)))
    me = Owner(manager, APPLY, str(intent.get("apiVersion", "")), instant(at), wanted)
    owners = owners_of(live)
    mine = next((owner for owner in owners if owner.identity == me.identity), None)
    others = [owner for owner in owners if owner is not mine]
    dropped = unowned((mine.paths if mine else frozenset()) - wanted, [wanted, *(owner.paths for owner in others)])
    merged = without(merge_patch(before, keyed(intent)), dropped)
    after = keyed(stored(listed(merged)))
    # what is only left empty by what goes is taken from nobody
    emptied = {path[:length] for path in dropped for length in range(1, len(path))} - wanted
    taken = {owner: differing(owner.paths - emptied, before, after) for owner in others}
    if not force:
        _refuse_conflicts(taken, _applied_last(live, stored) if manager == KUBECTL else frozenset())
    kept = [replace(owner, paths=owner.paths - taken[owner]) for owner in others if owner.paths - taken[owner]]
    if mine and mine.paths == wanted and not differing(wanted, before, after):
        me = mine
    if len(kept) >= MANAGERS_LIMIT:
        raise too_many()
    result = listed(_with_last_applied(merged, intent) if manager == KUBECTL else merged)
    return {**result, "metadata": {**result["metadata"], "managedFields": entries([*kept, me])}}


def _intent(applied: Any) -> Manifest:
    """What was applied, less its status, and less its nulls: a null field is one that is not there."""
    if not isinstance(applied, dict) or not isinstance(applied.get("metadata"), dict | None):
        raise Refused(_("the body must be a manifest"))
    intent: Manifest = _without_null({key: value for key, value in applied.items() if key != "status"})
    if intent.get("metadata", {}).get("managedFields"):
        raise Refused(_("metadata.managedFields must be empty in an apply patch"))
    return intent


def _applied_last(live: Manifest | None, stored: Stored) -> frozenset[Path]:
    """The fields that kubectl's client-side apply set and nobody has changed since.

    So that going over to server-side apply is no conflict with oneself (lastappliedmanager.go of Kubernetes).
    """
    text = value_at(live, _ANNOTATION)
    try:
        manifest = orjson.loads(text) if isinstance(text, str) else None
    except orjson.JSONDecodeError:
        return frozenset()
    if not isinstance(manifest, dict):
        return frozenset()
    last, now = keyed(stored(_without_null(manifest))), keyed(live or {})
    return frozenset(leaves(last)) - differing(leaves(last), last, now)


def _with_last_applied(merged: Manifest, intent: Manifest) -> Manifest:
    """Keep the annotation of client-side apply true where there is one, for who goes back to it.

    It stays as it is where it says the same (lastappliedupdater.go of Kubernetes).
    """
    text = value_at(merged, _ANNOTATION)
    if not isinstance(text, str):
        return merged
    applied = without(intent, [_ANNOTATION])
    try:
        if _without_empty(orjson.loads(text)) == _without_empty(applied):
            return merged
    except orjson.JSONDecodeError:
        pass
    annotation = orjson.dumps(applied, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE).decode()
    return merge_patch(merged, {"metadata": {"annotations": {LAST_APPLIED: annotation}}})  # type: ignore[no-any-return]


def _refuse_conflicts(taken: dict[Owner, frozenset[Path]], allowed: frozenset[Path]) -> None:
    conflicts = [
        (f'"{owner.manager}" using {owner.api_version}', readable(path))
        for owner, paths in taken.items()
        for path in sorted(paths - allowed)
    ]
    if conflicts:
        causes = [Cause(field, f"conflict with {by}", "FieldManagerConflict") for by, field in conflicts]
        raise Conflict(_conflict_message(conflicts), causes[:CAUSES_LIMIT])


def _conflict_message(conflicts: list[tuple[str, str]]) -> str:
    """Return the message of the Kubernetes API server, in English as there: kubectl prints it without the causes."""
    if len(conflicts) == 1:
        [(manager, field)] = conflicts
        return f"Apply failed with 1 conflict: conflict with {manager}: {field}"
    fields: dict[str, list[str]] = defaultdict(list)
    for manager, field in conflicts[:CAUSES_LIMIT]:
        fields[manager].append(f"- {field}")
    shown = ("\n".join([f"conflicts with {manager}:", *those]) for manager, those in fields.items())
    return f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(shown)


def _without_null(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _without_null(item) for key, item in value.items() if item is not None}


def _without_empty(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    items = ((key, _without_empty(item)) for key, item in value.items())
    return {key: item for key, item in items if item not in ("", None, [], {})}
