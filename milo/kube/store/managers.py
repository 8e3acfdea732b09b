"""Field managers: who last set which field of an object, `metadata.managedFields`.

A write by POST, PUT or PATCH takes over the fields that it changes (`updated`); `milo.kube.store.apply` is server-side
apply.
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
"""Makes of a manifest what would be stored of it: numbers, tags and texts in their normal form."""


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
        """The owner that an entry names. Raises `ValueError` where it names none."""
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
        """What tells managers apart: who applies does so in any version of the group, as in Kubernetes."""
        version = self.api_version.rpartition("/")[0] if self.operation == APPLY else self.api_version
        return self.manager, self.operation, version


def field_manager(given: str, user_agent: str | None = None) -> str:
    """The name of the manager: the parameter `fieldManager`, else the first word of the User-Agent, else `unknown`.

    Of a User-Agent what is not printable, or over 128 characters, is left out. Raises `Invalid` where `given` is
    longer or not printable, and where it is missing and there is no User-Agent to take its place.
    """
    if len(given) > MANAGER_LENGTH or not given.isprintable():
        raise Invalid.because([Cause("fieldManager", _("must be printable and have at most 128 characters"))])
    if given:
        return given
    if user_agent is None:
        raise Invalid.because([Cause.required("fieldManager", _("is required for apply patch"))])
    return "".join(filter(str.isprintable, user_agent.partition("/")[0]))[:MANAGER_LENGTH] or "unknown"


def owners_of(live: Manifest | None) -> list[Owner]:
    """Who manages the fields of an object; where nobody was recorded yet, `before-first-apply` manages all of them."""
    if live is None:
        return []
    if recorded := live["metadata"].get("managedFields"):
        return [Owner.of_entry(entry) for entry in recorded]
    everything, created = frozenset(leaves(keyed(live))), live["metadata"].get("creationTimestamp", "")
    return [Owner(BEFORE_FIRST_APPLY, UPDATE, live["apiVersion"], created, everything)] if everything else []


def updated(live: Manifest | None, new: Manifest, manager: str, *, at: datetime) -> list[dict[str, Any]]:
    """The managedFields once `manager` has written `new` over `live` (None: there is no such object yet).

    `new` is compared as it is, so it must be what will be stored. The manager takes over the fields that it changes;
    fields that are gone have no owner. The managedFields of `new` count, so that clients can hand fields over, unless
    nothing can be read from them; `[{}]` forgets all managers, until the next write. An empty list says nothing, so
    that no client clears what it does not know. Raises `Invalid` for more than 50 managers.
    """
    sent = _sent(new)
    if sent == []:
        return []
    before, after = keyed(live or {}), keyed(new)
    present = owners_of(live)
    owners = present if sent is None or _same(sent, present) else sent
    changed = differing(leaves(after), before, after)
    kept = [replace(owner, paths=owner.paths - differing(owner.paths, before, after)) for owner in owners]
    if not changed and kept == owners:
        return _recorded(live) if owners is present else entries(bounded(owners))
    me = Owner(manager, UPDATE, str(new.get("apiVersion", "")), instant(at), changed)
    mine = next((owner.paths for owner in kept if owner.identity == me.identity), frozenset())
    others = [owner for owner in kept if owner.paths and owner.identity != me.identity]
    if changed or mine:
        others.append(replace(me, paths=changed | mine))
    return entries(bounded(others))


def entries(owners: list[Owner]) -> list[dict[str, Any]]:
    """The managedFields that name the owners, in the order of Kubernetes."""
    ordered = sorted(owners, key=lambda owner: (owner.operation, owner.time, owner.manager, owner.api_version))
    return [owner.entry() for owner in ordered]


def _recorded(live: Manifest | None) -> list[dict[str, Any]]:
    return list(live["metadata"].get("managedFields", [])) if live else []


def _same(owners: list[Owner], others: list[Owner]) -> bool:
    """Whether nothing but times differs, which alone is no change."""
    return {owner.identity: owner.paths for owner in owners} == {other.identity: other.paths for other in others}


def _sent(new: Manifest) -> list[Owner] | None:
    """The managers that a manifest names; empty where it forgets them all, None where it says nothing that counts."""
    sent = new.get("metadata", {}).get("managedFields")
    if sent == [{}]:
        return []
    try:
        owners = {owner.identity: owner for owner in map(Owner.of_entry, sent or [])}
    except (ValueError, AttributeError, TypeError):
        return None
    return list(owners.values()) or None


def bounded(owners: list[Owner]) -> list[Owner]:
    """At most 50 managers: where there are more, those who only updated become one, as in Kubernetes.

    Raises `Invalid` where as many apply.
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
    """Return the refusal of a manager more than an object may have."""
    message = _("an object may have at most %(limit)s field managers") % {"limit": MANAGERS_LIMIT}
    return Invalid.because([Cause("metadata.managedFields", message, "FieldValueTooMany")])


@contextmanager
def writing_as(manager: str) -> Iterator[None]:
    """Fields that services change inside, but for what a client writes itself, are taken over by `manager`."""
    token = _writer.set(manager)
    try:
        yield
    finally:
        _writer.reset(token)


@audit.before_save
def take_over(row: models.Model) -> None:
    """Where an action, a page or a task changes the spec of an object, it manages what it has changed.

    Otherwise the next apply of an old manifest would undo silently what two people agreed.
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
    """Keep who manages which field of `row`, of which nothing else changes: a revision, but no history and no event."""
    if row.managers_changed:
        audit.refuse_texts(row)
        type(row)._base_manager.filter(pk=row.pk).update(managed_fields=row.managed_fields)
        audit.mark_changed(actor, row)
    return row


def relabel(row: R, metadata: Metadata, *, reason: str, actor: Actor, resource_version: int | None) -> R:
    """Change the metadata of `row`, which the caller holds locked; what changes nothing writes nothing.

    Raises `Invalid`, and `Conflict` for a stale `resource_version`.
    """
    changes.expect(row, resource_version)
    if causes := metadata.causes():
        raise Invalid.because(causes)
    if metadata.put_on(row):
        return audit.save_as(actor, row, reason=reason)
    return record(row, actor=actor)
