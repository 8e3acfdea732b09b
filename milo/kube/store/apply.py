"""Server-side apply: https://kubernetes.io/docs/reference/using-api/server-side-apply/

An applied manifest states everything that its manager wants. Fields that it applied before and now omits are removed.
Values are compared in their stored form, so a tax number with spaces equals the one without.
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
    """Return the manifest after `manager` has applied `applied` to `live` (None if the object does not exist).

    Fields that the manager applied before and now omits are removed, unless another manager owns them too. If nothing
    changes in the form that `stored` returns, the managedFields of `live` stay as they are. Raises `Conflict`, with a
    cause per field, if the value of another manager's field would change; `force` takes such fields over instead.
    Raises `Refused` (BadRequest) if `applied` is no manifest or contains managedFields, `Invalid` for more than 50
    managers.
    """
    intent = _intent(applied)
    before, applied_paths = keyed(live or {}), frozenset(leaves(keyed(intent)))
    me = Owner(manager, APPLY, str(intent.get("apiVersion", "")), instant(at), applied_paths)
    owners = owners_of(live)
    mine = next((owner for owner in owners if owner.identity == me.identity), None)
    others = [owner for owner in owners if owner is not mine]
    omitted = (mine.paths if mine else frozenset()) - applied_paths
    dropped = unowned(omitted, [applied_paths, *(owner.paths for owner in others)])
    merged = without(merge_patch(before, keyed(intent)), dropped)
    after = keyed(stored(listed(merged)))
    # an object that only becomes empty because its fields are dropped conflicts with no owner
    emptied = {path[:length] for path in dropped for length in range(1, len(path))} - applied_paths
    taken = {owner: differing(owner.paths - emptied, before, after) for owner in others}
    if not force:
        _refuse_conflicts(taken, _applied_last(live, stored) if manager == KUBECTL else frozenset())
    remaining = [replace(owner, paths=owner.paths - taken[owner]) for owner in others if owner.paths - taken[owner]]
    if mine and mine.paths == applied_paths and not differing(applied_paths, before, after):
        me = mine
    if len(remaining) >= MANAGERS_LIMIT:
        raise too_many()
    result = listed(_with_last_applied(merged, intent) if manager == KUBECTL else merged)
    return {**result, "metadata": {**result["metadata"], "managedFields": entries([*remaining, me])}}


def _intent(applied: Any) -> Manifest:
    """Return the applied manifest without its status and without null fields, which count as absent."""
    if not isinstance(applied, dict) or not isinstance(applied.get("metadata"), dict | None):
        raise Refused(_("the body must be a manifest"))
    intent: Manifest = _without_null({key: value for key, value in applied.items() if key != "status"})
    if intent.get("metadata", {}).get("managedFields"):
        raise Refused(_("metadata.managedFields must be empty in an apply patch"))
    return intent


def _applied_last(live: Manifest | None, stored: Stored) -> frozenset[Path]:
    """Return the fields that client-side apply of kubectl set and nobody has changed since.

    They are no conflicts, so that users can switch to server-side apply (lastappliedmanager.go of Kubernetes).
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
    """Update the annotation of client-side apply if there is one, for users who switch back.

    An annotation with the same content stays as it is (lastappliedupdater.go of Kubernetes).
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
