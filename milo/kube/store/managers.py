"""Field managers: `metadata.managedFields` records who last set which field of an object.

A write by POST, PUT or PATCH takes over the fields that it changes (`updated`). Server-side apply is in
`milo.kube.store.apply`.
https://kubernetes.io/docs/reference/using-api/server-side-apply/#managers
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _

from milo import audit
from milo.access import Actor
from milo.errors import Cause, Invalid
from milo.kube.kinds import kind_of
from milo.kube.metadata import Metadata
from milo.kube.models import Change, Resource
from milo.kube.store import changes
from milo.kube.store.field_sets import Manifest, Path, decode, differing, encode, keyed, leaves
from milo.kube.store.manifests import instant, without_empty

APPLY, UPDATE = "Apply", "Update"
BEFORE_FIRST_APPLY, ANCIENT_CHANGES = "before-first-apply", "ancient-changes"
MANAGER_LENGTH = 128
MANAGERS_LIMIT = 50
R = TypeVar("R", bound=Resource)
_writer: ContextVar[str] = ContextVar("milo_field_manager", default="milo")
Stored = Callable[[Manifest], Manifest]
"""Function that returns a manifest with its values in their stored form: numbers, tags and texts normalized."""


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
        """Decode an entry of managedFields. Raises `ValueError` for a malformed one."""
        manager, operation = entry.get("manager", ""), entry.get("operation")
        api_version, time, fields = entry.get("apiVersion", ""), entry.get("time", ""), entry.get("fieldsV1", {})
        texts = all(isinstance(text, str) and len(text) <= MANAGER_LENGTH for text in (manager, api_version, time))
        if not texts or not manager.isprintable() or operation not in (APPLY, UPDATE) or not isinstance(fields, dict):
            raise ValueError("not an entry of managedFields")
        return cls(manager, operation, api_version, time, frozenset(decode(fields)))

    def entry(self) -> dict[str, Any]:
        time = {"time": self.time} if self.time else {}
        return {
            "manager": self.manager,
            "operation": self.operation,
            "apiVersion": self.api_version,
            **time,
            "fieldsType": "FieldsV1",
            "fieldsV1": encode(self.paths),
        }

    @property
    def identity(self) -> tuple[str, str, str]:
        """Return the key that distinguishes owners. For Apply it ignores the API version, as in Kubernetes."""
        version = self.api_version.rpartition("/")[0] if self.operation == APPLY else self.api_version
        return self.manager, self.operation, version


def field_manager(name: str, user_agent: str | None = None) -> str:
    """Return the manager: the parameter `fieldManager`, else the User-Agent up to its first slash, else `unknown`.

    The User-Agent is cut to 128 printable characters. Raises `Invalid` if `name` is longer or not printable, or if it
    is empty and `user_agent` is None, as in an apply.
    """
    if len(name) > MANAGER_LENGTH or not name.isprintable():
        raise Invalid.because([Cause("fieldManager", _("must be printable and have at most 128 characters"))])
    if name:
        return name
    if user_agent is None:
        raise Invalid.because([Cause.required("fieldManager", _("is required for apply patch"))])
    return "".join(filter(str.isprintable, user_agent.partition("/")[0]))[:MANAGER_LENGTH] or "unknown"


def owners_of(live: Manifest | None) -> list[Owner]:
    """Return the owners of the fields of an object. Without managedFields, `before-first-apply` owns all fields."""
    if live is None:
        return []
    if recorded := live["metadata"].get("managedFields"):
        return [Owner.of_entry(entry) for entry in recorded]
    everything, created = frozenset(leaves(keyed(live))), live["metadata"].get("creationTimestamp", "")
    return [Owner(BEFORE_FIRST_APPLY, UPDATE, live["apiVersion"], created, everything)] if everything else []


def updated(live: Manifest | None, new: Manifest, manager: str, *, at: datetime) -> list[dict[str, Any]]:
    """Return the managedFields after `manager` has written `new` over `live` (None if the object does not exist).

    `new` must be in its stored form, since it is compared with `live`. The manager takes over the fields that it
    changes. Removed fields lose their owners. Valid managedFields in `new` replace those of `live`, so that clients can
    hand fields over; malformed ones are ignored. `[{}]` clears all managers until the next write. An empty list is
    ignored, so that clients which do not know the field clear nothing. Raises `Invalid` for more than 50 managers.
    """
    sent = _sent(new)
    if sent == []:
        return []
    before, after = keyed(live or {}), keyed(new)
    present = owners_of(live)
    owners = present if sent is None or _same(sent, present) else sent
    changed = differing(leaves(after), before, after)
    remaining = [replace(owner, paths=owner.paths - differing(owner.paths, before, after)) for owner in owners]
    if not changed and remaining == owners:
        return _recorded(live) if owners is present else entries(bounded(owners))
    me = Owner(manager, UPDATE, str(new.get("apiVersion", "")), instant(at), changed)
    mine = next((owner.paths for owner in remaining if owner.identity == me.identity), frozenset())
    others = [owner for owner in remaining if owner.paths and owner.identity != me.identity]
    if changed or mine:
        others.append(replace(me, paths=changed | mine))
    return entries(bounded(others))


def entries(owners: list[Owner]) -> list[dict[str, Any]]:
    """Return owners as managedFields, in the order of Kubernetes."""
    ordered = sorted(owners, key=lambda owner: (owner.operation, owner.time, owner.manager, owner.api_version))
    return [owner.entry() for owner in ordered]


def _recorded(live: Manifest | None) -> list[dict[str, Any]]:
    return list(live["metadata"].get("managedFields", [])) if live else []


def _same(owners: list[Owner], others: list[Owner]) -> bool:
    """Return whether two lists of owners differ at most in their times."""
    return {owner.identity: owner.paths for owner in owners} == {other.identity: other.paths for other in others}


def _sent(new: Manifest) -> list[Owner] | None:
    """Return the owners in the managedFields of a manifest. Empty for `[{}]`; None if absent, empty or malformed."""
    sent = new.get("metadata", {}).get("managedFields")
    if sent == [{}]:
        return []
    try:
        owners = {owner.identity: owner for owner in map(Owner.of_entry, sent or [])}
    except (ValueError, AttributeError, TypeError):
        return None
    return list(owners.values()) or None


def bounded(owners: list[Owner]) -> list[Owner]:
    """Return at most 50 owners. Beyond that the Update entries are merged into one, as in Kubernetes.

    Raises `Invalid` if 50 managers apply.
    """
    if len(owners) <= MANAGERS_LIMIT:
        return owners
    applying = [owner for owner in owners if owner.operation == APPLY]
    updates = [owner for owner in owners if owner.operation == UPDATE]
    if not updates or len(applying) >= MANAGERS_LIMIT:
        raise too_many()
    ancient = replace(updates[-1], manager=ANCIENT_CHANGES, paths=frozenset().union(*(o.paths for o in updates)))
    return [*applying, ancient]


def too_many() -> Invalid:
    """Return the refusal of more than 50 managers."""
    message = _("an object may have at most %(limit)s field managers") % {"limit": MANAGERS_LIMIT}
    return Invalid.because([Cause("metadata.managedFields", message, "FieldValueTooMany")])


@contextmanager
def writing_as(manager: str) -> Iterator[None]:
    """Record `manager` as the owner of fields that services change in this context.

    Fields that a client writes through the API get the client's own manager.
    """
    token = _writer.set(manager)
    try:
        yield
    finally:
        _writer.reset(token)


@audit.before_save
def take_over(row: models.Model) -> None:
    """Record the owner of spec fields changed by an action, an admin page or a task. Runs before each save.

    Without it the next apply of an old manifest would silently undo an approved change. Rows without managedFields are
    left alone.
    """
    if not isinstance(row, Resource) or row._state.adding or row.managers_stated or not row.managed_fields:
        return
    kind = kind_of(type(row))
    if kind is None or kind.fixed_spec:
        return
    newest = Change.objects.filter(uid=row.uid).order_by("-resource_version")
    live: Any = newest.values_list("manifest", flat=True).first()
    if live is None:
        return
    metadata = {**live["metadata"], "labels": row.labels, "annotations": row.annotations}
    new = {"apiVersion": kind.api_version, "metadata": metadata, "spec": without_empty(kind.spec(row))}
    row.managed_fields = updated(live, new, _writer.get(), at=timezone.now())


def record(row: R, *, actor: Actor) -> R:
    """Store changed managedFields of `row`, of which nothing else changes. Adds a revision but no history or event."""
    if row.managers_changed:
        audit.refuse_texts(row)
        type(row)._base_manager.filter(pk=row.pk).update(managed_fields=row.managed_fields)
        audit.mark_changed(actor, row)
    return row


def relabel(row: R, metadata: Metadata, *, reason: str, actor: Actor, resource_version: int | None) -> R:
    """Change the metadata of `row`. Writes nothing if nothing changes. The caller holds the lock of `row`.

    Raises `Conflict` for a stale `resource_version` and `Invalid` for invalid metadata.
    """
    changes.expect(row, resource_version)
    if causes := metadata.causes():
        raise Invalid.because(causes)
    if metadata.put_on(row):
        return audit.save_as(actor, row, reason=reason)
    return record(row, actor=actor)
