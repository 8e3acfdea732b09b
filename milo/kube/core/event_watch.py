"""Watches of events: every change with a reason, of any kind."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

from milo.kube.core import events
from milo.kube.core.events import Readable, event_manifest
from milo.kube.models import Change
from milo.kube.store.revisions import PAGE, Revision, in_thread
from milo.kube.watch import broadcaster
from milo.kube.watch.streams import Event, Watch


@dataclass(slots=True)
class EventWatch(Watch):
    """A watch of events. `rows` are changes and `scope` returns `Readable`. Every event is ADDED, none modified."""

    _last: int = field(default=0, init=False)

    @property
    def resource(self) -> str:
        return broadcaster.EVERY

    async def _state(self) -> AsyncGenerator[dict[str, Any], None]:
        while page := await in_thread(self._events_after, self._last):
            for change in page:
                yield event_manifest(change, change.resource_version)
            self._last = page[-1].resource_version

    def _events_after(self, number: int) -> list[Change]:
        chosen = events.selected(self.rows, self.selection).filter(resource_version__gt=number)
        return list(chosen.order_by("resource_version")[:PAGE])

    def _columns(self, scope: Readable) -> dict[str, Any]:
        return {"reason__gt": "", "resource__in": list(scope)}

    def _sees(self, revision: Revision, scope: Readable) -> bool:
        if revision.resource not in scope:
            return False
        organizations = scope[revision.resource]
        return organizations is None or revision.organization in organizations

    def _event(self, revision: Revision) -> Event | None:
        # numbers are in commit order, so events that the initial state missed have higher ones
        if not revision.reason or revision.number <= self._last:
            return None
        manifest = event_manifest(revision, revision.number)
        return ("ADDED", manifest) if self.selection.matches(manifest) else None
