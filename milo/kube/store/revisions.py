"""Reading the change log, also from the event loop."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import connections
from django.db.models import OuterRef, Subquery

from milo.kube.models import Change

PAGE = 500
P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a function that queries the database in a thread, and return its connection to the pool afterwards."""

    def call() -> T:
        try:
            return function(*args, **kwargs)
        finally:
            connections.close_all()

    return await sync_to_async(call, thread_sensitive=False)()


@dataclass(frozen=True, slots=True)
class Revision:
    """A change as watchers need it, with the manifest from revision `number` on and the previous one.

    `previous` is None if this revision created the object. A non-empty `reason` makes the change an event.
    """

    number: int
    resource: str
    organization: str
    uid: UUID
    deleted: bool
    manifest: dict[str, Any]
    previous: dict[str, Any] | None
    namespace: str
    name: str
    at: datetime
    actor: str
    reason: str
    message: str


def read(after: int, **columns: Any) -> list[Revision]:
    """Return the next revisions after the number `after`, at most `PAGE`, in commit order.

    `columns` are conditions on columns of the change log.
    """
    before = Change.objects.filter(uid=OuterRef("uid"), resource_version__lt=OuterRef("resource_version"))
    previous = before.order_by("-resource_version").values("manifest")[:1]
    changes = Change.objects.filter(resource_version__gt=after, **columns).annotate(previous=Subquery(previous))
    state = ("resource_version", "resource", "organization", "uid", "type", "manifest", "previous")
    event = ("namespace", "name", "at", "actor", "reason", "message")
    page = changes.order_by("resource_version").values_list(*state, *event)[:PAGE]
    return [
        Revision(number, resource, organization, uid, kind == Change.Type.DELETED, *rest)
        for number, resource, organization, uid, kind, *rest in page
    ]
