"""Changes as core/v1 Events: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid5

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from milo.access import Actor
from milo.errors import Forbidden
from milo.kube.core.event_types import type_of, warnings
from milo.kube.core.namespaces import NamespaceShape
from milo.kube.kinds import Column, all_kinds, kind_named, namespace_kind
from milo.kube.models import Change
from milo.kube.names import CLUSTER_SCOPED_EVENTS
from milo.kube.store.manifests import instant, precise_instant, without_empty
from milo.kube.store.revisions import Revision
from milo.kube.store.selectors import FieldEquals, Requirement, Selection, parse

Readable = Mapping[str, frozenset[str] | None]
"""Resources (`plural.group`) whose events may be read, each with the names of the organizations (None: all)."""
OBJECT_FIELDS = ("kind", "name", "namespace", "uid", "apiVersion", "resourceVersion")
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])")
_DIGITS = {10: re.compile(r"[0-9]{1,18}"), 16: re.compile(r"[0-9a-f]{1,15}")}


class EventShape(NamespaceShape):
    """The kind Event. Not registered, since its rows are those of the change log."""

    kind, plural, singular = "Event", "events", "event"
    verbs = ("get", "list", "watch")
    namespaced = True
    columns = (
        Column("Last Seen", lambda manifest: manifest["lastTimestamp"], type="date"),
        Column("Type", lambda manifest: manifest["type"]),
        Column("Reason", lambda manifest: manifest["reason"]),
        Column("Object", lambda m: f"{m['involvedObject']['kind'].lower()}/{m['involvedObject']['name']}"),
        Column("Message", lambda manifest: manifest["message"]),
    )
    field_selectors = dict.fromkeys((*(f"involvedObject.{field}" for field in OBJECT_FIELDS), "reason", "type"), "")


def event_manifest(change: Change | Revision, number: int) -> dict[str, Any]:
    """Return the Event of a change with a reason. `number` is its resourceVersion.

    Events of cluster-scoped objects are in the namespace `default`.
    """
    at, version, kind = instant(change.at), str(number), kind_named(change.resource)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{change.name}.{number:x}",
            "namespace": change.namespace or CLUSTER_SCOPED_EVENTS,
            "uid": str(uuid5(change.uid, version)),
            "resourceVersion": version,
            "creationTimestamp": at,
        },
        "involvedObject": without_empty(
            {
                "kind": kind.kind,
                "namespace": change.namespace,
                "name": change.name,
                "uid": str(change.uid),
                "apiVersion": kind.api_version,
                "resourceVersion": version,
            }
        ),
        "reason": change.reason,
        "message": change.message or default_message(change.reason, change.actor),
        "type": type_of(change.reason),
        "firstTimestamp": at,
        "lastTimestamp": at,
        "eventTime": precise_instant(change.at),
        "count": 1,
        "action": change.reason,
        "source": {"component": change.actor},
        "reportingComponent": change.actor,
        "reportingInstance": "",
    }


def default_message(reason: str, actor: str) -> str:
    """Return the message of a change that has none of its own: `Role granted, by user:operator`."""
    words = _WORDS.sub(" ", reason).capitalize()
    return _("%(what)s, by %(actor)s") % {"what": words, "actor": actor}


def readable(actor: Actor, verb: str) -> Readable:
    """Return the resources and organizations whose events the actor may read. Raises `Forbidden` if there are none.

    An actor may read the events of the objects on which it may use `verb` (list or watch).
    """
    names = dict(namespace_kind().model._default_manager.filter(pk__in=actor.organizations).values_list("pk", "name"))
    scopes = {kind.resource: actor.organizations_for(verb, kind.plural) for kind in all_kinds()}
    allowed = {
        resource: None if scope is None else frozenset(names[pk] for pk in scope)
        for resource, scope in scopes.items()
        if scope is None or scope
    }
    if not allowed:
        message = _("%(actor)s may not %(verb)s %(what)s")
        raise Forbidden(message % {"actor": actor.name, "verb": verb, "what": "events"})
    return allowed


def visible_changes(scope: Readable) -> QuerySet[Change]:
    """Return the changes that are events of readable objects. Their manifests are not loaded."""
    changes = Change.objects.exclude(reason="").defer("manifest")
    everywhere = [resource for resource, organizations in scope.items() if organizations is None]
    visible = changes.filter(resource__in=everywhere)
    for resource, organizations in scope.items():
        if organizations is not None:
            visible |= changes.filter(resource=resource, organization__in=organizations)
    return visible


def selection(label_selector: str, field_selector: str, namespace: str = "") -> Selection:
    """Parse the selectors of a list or watch of events, limited to `namespace` unless it is "".

    Raises `Refused` (BadRequest) like `selectors.parse`.
    """
    parsed = parse(EventShape(), label_selector, field_selector).requirements
    requirements = [_of_no_namespace(requirement) for requirement in parsed]
    if namespace:
        requirements.append(FieldEquals("metadata.namespace", "", namespace, positive=True))
    return Selection(tuple(requirements))


def _of_no_namespace(requirement: Requirement) -> Requirement:
    """Replace `default` by "" in `involvedObject.namespace`: kubectl asks for cluster-scoped objects this way."""
    if isinstance(requirement, FieldEquals) and requirement.path == "involvedObject.namespace":
        return replace(requirement, value=_namespace(requirement.value))
    return requirement


def _namespace(name: str) -> str:
    return "" if name == CLUSTER_SCOPED_EVENTS else name


def selected(changes: QuerySet[Change], selection: Selection) -> QuerySet[Change]:
    """Return the changes whose events are selected. The whole selection runs in SQL."""
    for requirement in selection.requirements:
        changes = changes.filter(_condition(requirement))
    return changes


_NONE = Q(pk__in=[])
_CONDITIONS: Mapping[str, Callable[[str], Q]] = {
    "metadata.name": lambda value: named(value),
    "metadata.namespace": lambda value: Q(namespace=_namespace(value)) if value else _NONE,
    "involvedObject.kind": lambda value: _of_kinds(kind=value),
    "involvedObject.apiVersion": lambda value: _of_kinds(api_version=value),
    "involvedObject.name": lambda value: Q(name=value),
    "involvedObject.namespace": lambda value: Q(namespace=value),
    "involvedObject.uid": lambda value: Q(uid__in=_uids(value)),
    "involvedObject.resourceVersion": lambda value: Q(pk__in=_numbers(value, 10)),
    "reason": lambda value: Q(reason=value),
    "type": lambda value: _of_type(value),
}


def _condition(requirement: Requirement) -> Q:
    if not isinstance(requirement, FieldEquals):
        # events have no labels
        return ~_NONE if requirement.matches({}) else _NONE
    equal = _CONDITIONS[requirement.path](requirement.value)
    return equal if requirement.positive else ~equal


def _of_type(value: str) -> Q:
    bad_news = Q(reason__in=warnings())
    return {"Normal": ~bad_news, "Warning": bad_news}.get(value, _NONE)


def named(name: str) -> Q:
    """Return the condition for the change whose event has this name: object name, dot, revision in hexadecimal."""
    of, _dot, number = name.rpartition(".")
    return Q(name=of, pk__in=_numbers(number, 16))


def _of_kinds(**attributes: str) -> Q:
    kinds = (kind for kind in all_kinds() if all(getattr(kind, key) == value for key, value in attributes.items()))
    return Q(resource__in=[kind.resource for kind in kinds])


def _uids(value: str) -> list[UUID]:
    """Return `value` as a UUID; empty if it is none."""
    try:
        return [UUID(value)]
    except ValueError:
        return []


def _numbers(value: str, base: int) -> list[int]:
    """Return `value` as a number of a revision; empty if it is no number or has too many digits."""
    return [int(value, base)] if _DIGITS[base].fullmatch(value) else []
