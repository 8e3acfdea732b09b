"""Subresources of every kind: its status, its acts and its readings."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from django.http import HttpResponse
from rest_framework.request import Request

from milo import audit
from milo.kube import queries, reading_tables
from milo.kube.kinds import Action, ReadSubresource
from milo.kube.store import changes, objects
from milo.kube.views import KubeView
from milo.kube.wire import preconditions
from milo.kube.wire.negotiation import wants
from milo.kube.wire.preconditions import IF_MATCH
from milo.spreadsheets import CSV, respond_csv


class StatusView(KubeView):
    standard = True

    def get(self, request: Request, **kwargs: Any) -> HttpResponse:
        """Read the object through its status subresource; status is written by acts only."""
        return self.one(self.manifest())


class ActView(KubeView):
    """POST of `{"spec": {...}}` to an act of the object."""

    of: ClassVar[Any] = None
    preconditions = (IF_MATCH,)

    def post(self, request: Request, **kwargs: Any) -> HttpResponse:
        act: Action = self.of
        row = self.row()
        queries.check_names(self.request.GET, queries.OF_ACTS)
        self.actor.require("create", self.kind.plural, self.kind.organization(row).pk, act=act.name)
        raw = self.request._request.body
        spec = objects.read_spec(act.serializer, self.body() if raw.strip() else {})
        # the outermost act decides whether all is rolled back, so a dry run begins before it
        with self.acting(), self._as_seen(row):
            done = act.call(row, spec, actor=self.actor)
        return self.one(self.shown(done))

    @contextmanager
    def _as_seen(self, row: Any) -> Iterator[None]:
        """With If-Match, hold the lock of the object from before its revision is compared until the act is done."""
        if IF_MATCH not in self.request.headers:
            yield
            return
        with audit.transaction():
            self.kind.lock(row)
            preconditions.expected_version(self.request.headers, changes.version_of(row))
            yield


class ReadingView(KubeView):
    """GET of something computed from the object."""

    of: ClassVar[Any] = None

    def check_parameters(self) -> None:
        """Leave it to `queries.read`: a limit or continue here is the reading's own."""

    def get(self, request: Request, **kwargs: Any) -> HttpResponse:
        reading: ReadSubresource = self.of
        row = self.row()
        verb = "create" if reading.act else reading.verb
        self.actor.require(verb, self.kind.plural, self.kind.organization(row).pk, act=reading.act)
        query = queries.read(reading.parameters, self.request.GET)
        if wants(CSV, request.headers.get("Accept", "")):
            whole = reading.whole(row, query, actor=self.actor)
            return respond_csv(reading_tables.rows(reading, whole), f"{row.name}-{reading.name}")
        value = reading.call(row, query, actor=self.actor)
        if self.answer.shape == "Table":
            return self.answer.respond(reading_tables.table(reading, value, self.answer.version))
        return self.plain.respond(value)
