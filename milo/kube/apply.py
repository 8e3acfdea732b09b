"""Server-side apply: https://kubernetes.io/docs/reference/using-api/server-side-apply/

Who manages which field is kept in `metadata.managedFields` from the first apply of an object on; before it, nothing is.
Every list is atomic: it is owned and replaced whole. Only `spec`, labels and annotations have owners.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from milo.errors import Cause, Conflict, Invalid, Refused
from milo.kube.manifests import instant
from milo.kube.patches import merge_patch

APPLY, UPDATE = "Apply", "Update"
BEFORE_FIRST_APPLY, ANCIENT_CHANGES = "before-first-apply", "ancient-changes"
MANAGER_LENGTH = 128
MANAGERS_LIMIT = 50
CAUSES_LIMIT = 100
_ROOTS = (("spec",), ("metadata", "labels"), ("metadata", "annotations"))
Path = tuple[str, ...]
Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Owner:
    """One entry of managedFields."""

    manager: str
    operation: str
    api_version: str
    time: str
    paths: frozenset[Path]

    @classmethod
    def of_entry(cls, entry: dict[str, Any]) -> "Owner":
        paths = frozenset(_decode(entry["fieldsV1"]))
        return cls(entry["manager"], entry["operation"], entry["apiVersion"], entry["time"], paths)

    def entry(self) -> dict[str, Any]:
        return {
            "manager": self.manager,
            "operation": self.operation,
            "apiVersion": self.api_version,
            "time": self.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": _encode(self.paths),
        }

    def is_manager(self, manager: str, operation: str) -> bool:
        return (self.manager, self.operation) == (manager, operation)


def field_manager(given: str, user_agent: str = "") -> str:
    """The name of the manager: the parameter `fieldManager`, else the first word of the User-Agent.

    Raises `Invalid` where neither is given, or it is longer than 128 characters or not printable.
    """
    manager = given or user_agent.partition("/")[0][:MANAGER_LENGTH]
    if not manager:
        raise Invalid.because([Cause.required("fieldManager", _("is required for apply patch"))])
    if len(manager) > MANAGER_LENGTH or not manager.isprintable():
        raise Invalid.because([Cause("fieldManager", _("must be printable and have at most 128 characters"))])
    return manager


def apply(live: Manifest | None, applied: Any, manager: str, *, force: bool, at: datetime) -> Manifest:
    """The manifest that results when `manager` applies `applied` to `live` (None: there is no such object yet).

    Fields that the manager applied before and now leaves out are removed, unless another manager owns them too.
    What changes nothing returns `live` with its managedFields as they are. Raises `Conflict`, with a cause for each
    field, where the value of a field that another manager owns would change, unless `force` takes it over;
    `Refused` (BadRequest) where `applied` is no manifest or holds managedFields; `Invalid` for more than 50 managers.
    """
    intent = _intent(applied)
    owners, wanted = _owners(live), frozenset(_leaves(intent))
    merged = merge_patch(live or {}, intent)
    mine = next((owner for owner in owners if owner.is_manager(manager, APPLY)), None)
    others = [owner for owner in owners if owner is not mine]
    taken = {owner: frozenset(_differing(owner.paths, live or {}, merged)) for owner in others}
    if not force:
        _refuse_conflicts(taken)
    others = [replace(owner, paths=owner.paths - taken[owner]) for owner in others]
    dropped = _unowned((mine.paths if mine else frozenset()) - wanted, [wanted, *(owner.paths for owner in others)])
    merged = _without(merged, _encode(dropped))
    me = Owner(manager, APPLY, str(intent.get("apiVersion", "")), instant(at), wanted)
    if mine and mine.paths == wanted and not any(_differing(wanted, live or {}, merged)):
        me = mine
    kept = [owner for owner in others if owner.paths]
    if len(kept) >= MANAGERS_LIMIT:
        raise Invalid(_("an object may have at most %(limit)s field managers") % {"limit": MANAGERS_LIMIT})
    metadata = {**merged.get("metadata", {}), "managedFields": [owner.entry() for owner in [*kept, me]]}
    return {**merged, "metadata": metadata}


def updated(live: Manifest | None, new: Manifest, manager: str, *, at: datetime) -> list[dict[str, Any]]:
    """The managedFields once `manager` has written `new` over `live` in another way than apply.

    It takes over the fields that it changes; fields that are gone have no owner. Empty where nobody has applied yet.
    """
    if live is None or not (entries := live["metadata"].get("managedFields")):
        return []
    owners = [Owner.of_entry(entry) for entry in entries]
    changed = frozenset(_differing(_leaves(new), live, new))
    kept = [replace(owner, paths=owner.paths - frozenset(_differing(owner.paths, live, new))) for owner in owners]
    if not changed and kept == owners:
        return list(entries)
    before = next((owner.paths for owner in kept if owner.is_manager(manager, UPDATE)), frozenset())
    others = [owner for owner in kept if owner.paths and not owner.is_manager(manager, UPDATE)]
    if changed or before:
        others.append(Owner(manager, UPDATE, str(new.get("apiVersion", "")), instant(at), before | changed))
    return [owner.entry() for owner in _bounded(others)]


def _intent(applied: Any) -> Manifest:
    """What was applied, less its status, and less its nulls: a null field is one that is not there."""
    if not isinstance(applied, dict) or not isinstance(applied.get("metadata"), dict | None):
        raise Refused(_("the body must be a manifest"))
    intent: Manifest = _without_null({key: value for key, value in applied.items() if key != "status"})
    if intent.get("metadata", {}).get("managedFields"):
        raise Refused(_("metadata.managedFields must be empty in an apply patch"))
    return intent


def _bounded(owners: list[Owner]) -> list[Owner]:
    """Where there are too many, those who only updated become one, as in Kubernetes."""
    if len(owners) <= MANAGERS_LIMIT:
        return owners
    updates = [owner for owner in owners if owner.operation == UPDATE]
    ancient = replace(updates[-1], manager=ANCIENT_CHANGES, paths=frozenset().union(*(o.paths for o in updates)))
    return [owner for owner in owners if owner.operation == APPLY] + [ancient]


def _owners(live: Manifest | None) -> list[Owner]:
    if live is None:
        return []
    metadata = live["metadata"]
    if entries := metadata.get("managedFields"):
        return [Owner.of_entry(entry) for entry in entries]
    everything = frozenset(_leaves(live))
    created = metadata.get("creationTimestamp", "")
    return [Owner(BEFORE_FIRST_APPLY, UPDATE, live["apiVersion"], created, everything)] if everything else []


def _refuse_conflicts(taken: dict[Owner, frozenset[Path]]) -> None:
    conflicts = [
        (f'"{owner.manager}" using {owner.api_version}', "." + ".".join(path))
        for owner, paths in taken.items()
        for path in sorted(paths)
    ]
    if conflicts:
        causes = [Cause(field, f"conflict with {by}", "FieldManagerConflict") for by, field in conflicts]
        raise Conflict(_conflict_message(conflicts), causes[:CAUSES_LIMIT])


def _conflict_message(conflicts: list[tuple[str, str]]) -> str:
    """The first conflicts in the words of Kubernetes: kubectl shows the message alone, and refers to its fields."""
    count = len(conflicts)
    failed = ngettext("Apply failed with %(count)s conflict", "Apply failed with %(count)s conflicts", count)
    failed %= {"count": count}
    if count == 1:
        [(manager, field)] = conflicts
        return f"{failed}: conflict with {manager}: {field}"
    fields: dict[str, list[str]] = defaultdict(list)
    for manager, field in conflicts[:CAUSES_LIMIT]:
        fields[manager].append(f"- {field}")
    listed = ("\n".join([f"conflicts with {manager}:", *those]) for manager, those in fields.items())
    return f"{failed}: " + "\n".join(listed)


def _unowned(paths: Iterable[Path], owned: Iterable[frozenset[Path]]) -> list[Path]:
    """Those of `paths` of which nobody owns the field itself or one below it."""
    held = {path[:length] for path in chain.from_iterable(owned) for length in range(1, len(path) + 1)}
    return [path for path in paths if path not in held]


def _leaves(manifest: Manifest) -> Iterator[Path]:
    """The paths of all scalars, lists and empty objects that can have owners."""
    for root in _ROOTS:
        value = _at(manifest, root)
        if isinstance(value, dict):
            yield from _leaves_below(value, root)


def _leaves_below(value: dict[str, Any], path: Path) -> Iterator[Path]:
    for key, item in value.items():
        if isinstance(item, dict) and item:
            yield from _leaves_below(item, (*path, key))
        else:
            yield (*path, key)


def _at(manifest: Any, path: Path) -> Any:
    """The value at `path`; None for what is absent or empty, which is the same to the API."""
    for key in path:
        manifest = manifest.get(key) if isinstance(manifest, dict) else None
    return None if manifest in ("", [], {}) else manifest


def _differing(paths: Iterable[Path], one: Manifest, other: Manifest) -> Iterator[Path]:
    return (path for path in paths if _at(one, path) != _at(other, path))


def _without_null(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _without_null(item) for key, item in value.items() if item is not None}


def _without(value: Manifest, fields: dict[str, Any]) -> Manifest:
    """`value` less the `fields` (FieldsV1), and less the objects that this leaves empty."""
    kept = {}
    for key, item in value.items():
        below = fields.get(f"f:{key}")
        if below is None:
            kept[key] = item
        elif isinstance(item, dict) and item:
            if remaining := _without(item, below):
                kept[key] = remaining
        elif below:
            kept[key] = item
    return kept


def _encode(paths: Iterable[Path]) -> dict[str, Any]:
    """FieldsV1: `{"f:spec": {"f:currencyCode": {}}}`."""
    fields: dict[str, Any] = {}
    for path in sorted(paths):
        node = fields
        for key in path[:-1]:
            node = node.setdefault(f"f:{key}", {})
        node[f"f:{path[-1]}"] = {}
    return fields


def _decode(fields: dict[str, Any], path: Path = ()) -> Iterator[Path]:
    for key, below in fields.items():
        if below:
            yield from _decode(below, (*path, key[2:]))
        else:
            yield (*path, key[2:])
