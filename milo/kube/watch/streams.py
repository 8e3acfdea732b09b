"""Watches: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes"""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
from django.db import DatabaseError
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from milo import outages
from milo.errors import Refused
from milo.kube.kinds import Kind
from milo.kube.store import changes
from milo.kube.store.manifests import render
from milo.kube.store.revisions import PAGE, Revision, in_thread, read
from milo.kube.store.selectors import Selection
from milo.kube.watch import broadcaster
from milo.kube.wire.status import Expired, failure, of_refusal
from milo.metrics import counted

TICK_SECONDS = 60.0
"""The longest interval between two checks of a watcher's permissions, and between two bookmarks."""
LONGEST_SECONDS = 3600.0
INITIAL_EVENTS_END = "k8s.io/initial-events-end"
Event = tuple[str, dict[str, Any]]


@dataclass(slots=True)
class Watch:
    """One watch of one kind.

    `rows` are the rows that the watcher may see. `scope` returns the names of the organizations that it may see (None:
    all) and raises `Refused` once there are none. It runs in a thread, at the start and at least every `TICK_SECONDS`.
    `render` converts a manifest to the object that is sent; its second argument tells whether it is the first one.
    Bookmarks pass through it too: manifests with apiVersion, kind, metadata.resourceVersion and annotations only.
    `after` is the resourceVersion to resume from; 0 starts with the current state.
    """

    kind: Kind
    rows: "QuerySet[Any]"
    selection: Selection
    scope: Callable[[], Any]
    render: Callable[[dict[str, Any], bool], dict[str, Any]]
    after: int = 0
    timeout_seconds: float = 0
    bookmarks: bool = False
    initial_events: bool = False
    _known: dict[UUID, int] = field(default_factory=dict, init=False)
    _settled: int = field(default=0, init=False)

    @property
    def resource(self) -> str:
        """Return the resource to subscribe to."""
        return self.kind.resource

    async def lines(self) -> AsyncGenerator[bytes, None]:
        """Yield the body of the response: a JSON object `{"type", "object"}` per line.

        Ends after `timeout_seconds`, about an hour, or when the process stops, then with a bookmark if the client asked
        for bookmarks. Ends with an ERROR line if `after` was compacted or lies in the future (410 Expired), if the
        watcher's permissions have changed, or if the database is unavailable. Ends without one if the client lags too
        far behind; it can resume from the last revision that it received.
        """
        first = True
        try:
            with counted.watches.track_inprogress():
                async with aclosing(self._events()) as events:
                    async for kind, manifest in events:
                        yield _line(kind, self.render(manifest, first))
                        first = False
        except Refused as refusal:
            yield _line("ERROR", failure(refusal.reason, str(refusal), causes=refusal.causes))
        except DatabaseError as error:
            outage = outages.refusal(error)
            if not outage:
                raise
            yield _line("ERROR", of_refusal(outage, {}))

    async def _events(self) -> AsyncGenerator[Event, None]:
        """Yield the current state (if asked for), then the log up to now, then live revisions.

        The order leaves no gap: the position is read before the state, and the subscription starts only once the log
        is read to its end. Revisions committed while the state is read are seen twice, and `_event` sorts them out.
        """
        deadline = asyncio.get_running_loop().time() + min(
            self.timeout_seconds or _about(LONGEST_SECONDS), LONGEST_SECONDS
        )
        scope, position, subscription = await in_thread(self.scope), self.after, None
        if not self.after or self.initial_events:
            position = await in_thread(changes.current_version)
            async for manifest in self._state():
                yield "ADDED", manifest
            self._settled = await in_thread(changes.current_version)
            if self.initial_events:
                yield "BOOKMARK", self._bookmark(position, {INITIAL_EVENTS_END: "true"})
        try:
            while subscription is None or position < subscription.since:
                revisions, position = await in_thread(self._replay, position, scope)
                for revision in revisions:
                    if self._sees(revision, scope) and (event := self._event(revision)):
                        yield event
                if subscription is None and len(revisions) < PAGE:
                    subscription = broadcaster.subscribe(self.resource, position)
            async with aclosing(self._live(subscription, position, scope, deadline)) as live:
                async for event in live:
                    yield event
        finally:
            if subscription:
                subscription.close()

    async def _state(self) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the current objects, and remember in `_known` which revision of each was read."""
        last = 0
        while page := await in_thread(self._page, last):
            for last, uid, manifest in page:  # noqa: B007
                self._known[uid] = int(manifest["metadata"]["resourceVersion"])
                yield manifest

    def _page(self, after: int) -> list[tuple[int, UUID, dict[str, Any]]]:
        rows: Any = self.selection.apply(self.rows).filter(pk__gt=after).order_by("pk")
        if self.kind.live:
            return [(row.pk, row.uid, render(self.kind, row)) for row in rows.with_revision()[:PAGE]]
        # as GET and LIST show them: what follows from other rows may be rendered in a revision to come
        stored = rows.prefetch_related(None).with_manifest().values_list("pk", "uid", "manifest")
        return [(pk, uid, orjson.loads(text)) for pk, uid, text in stored[:PAGE]]

    def _replay(self, after: int, scope: Any) -> tuple[list[Revision], int]:
        """Return the next revisions after `after`, and the number up to which they are complete.

        Raises `Expired` if `after` lies in the future or was compacted. The latter is checked after reading, because
        compaction moves its watermark before it deletes.
        """
        current = changes.current_version()
        revisions = read(after, resource_version__lte=current, **self._columns(scope))
        if after > current:
            raise Expired(_("resourceVersion %(after)s is yet to come") % {"after": after})
        if after < changes.oldest_version():
            raise Expired(_("too old resource version: %(after)s") % {"after": after})
        return revisions, revisions[-1].number if len(revisions) == PAGE else current

    def _columns(self, scope: Any) -> dict[str, Any]:
        """Return the filter on columns of the change log."""
        of_kind = {"resource": self.kind.resource}
        return of_kind if scope is None else of_kind | {"organization__in": scope}

    def _sees(self, revision: Revision, scope: Any) -> bool:
        return scope is None or revision.organization in scope

    async def _live(
        self, subscription: broadcaster.Subscription, position: int, scope: Any, deadline: float
    ) -> AsyncGenerator[Event, None]:
        clock = asyncio.get_running_loop().time
        tick = clock() + _about(TICK_SECONDS)
        while not subscription.drained:
            revision = None if subscription.left else await subscription.get(min(tick, deadline))
            if revision and revision.number > position:
                position = revision.number
                if self._sees(revision, scope) and (event := self._event(revision)):
                    yield event
            left = subscription.left
            if clock() >= min(tick, deadline) or left:
                tick = clock() + _about(TICK_SECONDS)
                # a process that stops does not wait for the database
                if not subscription.ended and not left and await subscription.feed.fetch(self.scope) != scope:
                    raise Expired(_("your rights have changed; list again"))
                if self.bookmarks:
                    position = max(position, subscription.position())
                    yield "BOOKMARK", self._bookmark(position)
            if clock() >= deadline or left:
                return

    def _event(self, revision: Revision) -> Event | None:
        """Return the event of a revision for this watcher; None if the object is not selected, before nor after.

        An object that enters the selection is ADDED, one that leaves it is DELETED, whatever the revision was. Below
        `_settled` the initial state may already include the revision, so `_known` decides instead of the log.
        """
        selected = not revision.deleted and self.selection.matches(revision.manifest)
        if revision.number <= self._settled:
            was_selected = revision.uid in self._known
            if revision.number <= self._known.get(revision.uid, 0):
                return None
            if selected:
                self._known[revision.uid] = revision.number
            else:
                self._known.pop(revision.uid, None)
        else:
            self._known.clear()
            was_selected = revision.previous is not None and self.selection.matches(revision.previous)
        if selected:
            return "MODIFIED" if was_selected else "ADDED", revision.manifest
        if not was_selected:
            return None
        last = revision.previous or revision.manifest
        metadata = {**last["metadata"], "resourceVersion": str(revision.number)}
        return "DELETED", {**last, "metadata": metadata}

    def _bookmark(self, position: int, annotations: dict[str, str] | None = None) -> dict[str, Any]:
        metadata: dict[str, Any] = {"resourceVersion": str(position)}
        if annotations:
            metadata["annotations"] = annotations
        return {"kind": self.kind.kind, "apiVersion": self.kind.api_version, "metadata": metadata}


def _about(seconds: float) -> float:
    """Return a random time between half and all of `seconds`, like kube-apiserver, so that clients spread out."""
    return random.uniform(0.5, 1) * seconds  # noqa: S311


def _line(kind: str, manifest: dict[str, Any]) -> bytes:
    return orjson.dumps({"type": kind, "object": manifest}, option=orjson.OPT_APPEND_NEWLINE)
