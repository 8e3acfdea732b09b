"""Reading the change log, from the event loop too."""

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
    """Call a function that asks the database; its connection goes back to the pool at once, not with the thread."""

    def call() -> T:
        try:
            return function(*args, **kwargs)
        finally:
            connections.close_all()

    return await sync_to_async(call, thread_sensitive=False)()


@dataclass(frozen=True, slots=True)
class Revision:
    """A change as watchers need it: the object as it is from `number` on, and as it was before (None: it was not).

    Who did what is told as in `Change`; a `reason` makes an event of it.
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


def read(after: int, **of: Any) -> list[Revision]:
    """The next revisions after the number `after`, at most `PAGE`, in commit order; `of` narrows them by columns."""
    before = Change.objects.filter(uid=OuterRef("uid"), resource_version__lt=OuterRef("resource_version"))
    previous = before.order_by("-resource_version").values("manifest")[:1]
    changes = Change.objects.filter(resource_version__gt=after, **of).annotate(previous=Subquery(previous))
    columns = ("resource_version", "resource", "organization", "uid", "type", "manifest", "previous")
    told = ("namespace", "name", "at", "actor", "reason", "message")
    found = changes.order_by("resource_version").values_list(*columns, *told)[:PAGE]
    return [
        Revision(number, resource, organization, uid, kind == Change.Type.DELETED, *rest)
        for number, resource, organization, uid, kind, *rest in found
    ]
