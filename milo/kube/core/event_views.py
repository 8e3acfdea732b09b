"""Views of events: read, list and watch."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.translation import gettext as _
from rest_framework.request import Request

from milo.errors import NotFound
from milo.kube import tables
from milo.kube.core import events
from milo.kube.core.event_watch import EventWatch
from milo.kube.core.events import EventShape, Readable, event_manifest
from milo.kube.models import Change
from milo.kube.names import CLUSTER_SCOPED_EVENTS
from milo.kube.store import changes, list_options, lists
from milo.kube.store.selectors import Selection
from milo.kube.views import KubeView
from milo.kube.watch import watching
from milo.kube.wire.status import Expired


class EventsView(KubeView):
    standard = True

    kind = EventShape()

    def get(self, request: Request, **kwargs: Any) -> HttpResponseBase:
        """List, newest first, or watch with `?watch=true`. A list is not paged; `limit` keeps the newest."""
        parameters = self.parameters
        labels, fields = parameters.text("labelSelector"), parameters.text("fieldSelector")
        selection = events.selection(labels, fields, self.namespace)
        if parameters.flag("watch"):
            return self._watch(selection)
        at = list_options.version_to_show(parameters)
        # read before the rows, so that a watch from here on misses nothing
        version = at or changes.current_version()
        limit = min(parameters.number("limit", lists.MAX_LIMIT) or lists.MAX_LIMIT, lists.MAX_LIMIT)
        visible = events.selected(self.visible_changes("list"), selection)
        visible = visible.filter(pk__lte=version) if at else visible
        newest = visible.order_by("-resource_version")[:limit]
        manifests = [event_manifest(change, change.resource_version) for change in newest]
        if at and at < changes.oldest_version():
            raise Expired(_("the resourceVersion for the provided list is too old"))
        metadata = {"resourceVersion": str(version)}
        shaped = tables.shape_list(self.kind, manifests, metadata, self.answer, parameters.include_object)
        return self.answer.respond(shaped)

    def _watch(self, selection: Selection) -> StreamingHttpResponse:
        def scope() -> Readable:
            return events.readable(watching.actor_now(self), "watch")

        rendered = watching.renderer(self.kind, self.answer, self.parameters.include_object)
        options = watching.options(self.parameters)
        watch = EventWatch(self.kind, self.visible_changes("watch"), selection, scope, rendered, **options)
        return StreamingHttpResponse(watch.lines(), content_type=self.answer.content_type)

    def visible_changes(self, verb: str) -> "QuerySet[Change]":
        """Return the changes whose events the actor may read.

        Raises `NotFound` for a namespace that the actor may not see, `Forbidden` without the permission anywhere.
        """
        if self.namespace and self.namespace != CLUSTER_SCOPED_EVENTS:
            self.organization_id()
        return events.visible_changes(events.readable(self.actor, verb))


class EventView(EventsView):
    def get(self, request: Request, **kwargs: Any) -> HttpResponse:
        selection = events.selection("", "", self.namespace)
        name = self.kwargs["name"]
        list_options.expect_reached(self.parameters)
        change = events.selected(self.visible_changes("list"), selection).filter(events.named(name)).first()
        if change is None:
            raise NotFound(f'events "{name}" not found')
        manifest = event_manifest(change, change.resource_version)
        self.revision_shown = manifest["metadata"]["resourceVersion"]
        shaped = tables.shape_one(self.kind, manifest, self.answer, self.parameters.include_object)
        return self.answer.respond(shaped)
