"""Views of subresources: status, actions and read subresources."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, NoReturn

from django.http import HttpResponse
from django.utils.translation import gettext as _
from rest_framework.request import Request

from milo import audit, personal
from milo.kube import queries, subresource_tables
from milo.kube.kinds import Action, ReadSubresource
from milo.kube.store import changes, objects
from milo.kube.views import KubeView
from milo.kube.wire import preconditions
from milo.kube.wire.negotiation import wants
from milo.kube.wire.preconditions import IF_MATCH
from milo.kube.wire.status import MethodNotAllowed
from milo.spreadsheets import CSV, respond_csv


class StatusView(KubeView):
    standard = True

    def get(self, request: Request, **kwargs: Any) -> HttpResponse:
        """Read the object through its status subresource. Only actions write status."""
        return self.one(self.manifest())


class ActionView(KubeView):
    """POST of `{"spec": {...}}` to an action of an object; answers with the object, or with the action's response."""

    of: ClassVar[Any] = None
    preconditions = (IF_MATCH,)

    def post(self, request: Request, **kwargs: Any) -> HttpResponse:
        action: Action = self.of
        row = self.row()
        queries.check_names(self.request.GET, queries.ACTION_PARAMETERS)
        self.actor.require("create", self.kind.plural, self.kind.organization(row).pk, action=action.required)
        raw = self.request._request.body
        spec = objects.read_spec(action.serializer, self.body() if raw.strip() else {})
        return self.once(lambda: self._call(row, spec))

    def _call(self, row: Any, spec: dict[str, Any]) -> HttpResponse:
        # the outermost transaction decides on rollback, so the dry run must begin before it
        with self.acting(), self._matched(row):
            changed = self.of.call(row, spec, actor=self.actor)
        return self.plain.respond(changed) if self.of.response else self.one(self.manifest_of(changed))

    def http_method_not_allowed(self, request: Any, *args: Any, **kwargs: Any) -> NoReturn:
        message = _('%(name)s takes POST alone, with its input in the body: {"spec": {...}}')
        raise MethodNotAllowed(message % {"name": self.of.name})

    @contextmanager
    def _matched(self, row: Any) -> Iterator[None]:
        """With If-Match, compare revisions before the action, and again while it holds the lock of the object."""
        headers = self.request.headers
        if IF_MATCH not in headers:
            yield
            return
        with (
            audit.transaction(),
            changes.compared(row, lambda: preconditions.expected_version(headers, changes.version_of(row))),
        ):
            yield


class ReadSubresourceView(KubeView):
    """GET of a read subresource, as JSON, YAML, Table or CSV."""

    of: ClassVar[Any] = None

    def check_parameters(self) -> None:
        """Skip the common check: `limit` and `continue` here belong to the subresource (see `queries.read`)."""

    def get(self, request: Request, **kwargs: Any) -> HttpResponse:
        subresource: ReadSubresource = self.of
        row = self.row()
        self.actor.require(subresource.verb, self.kind.plural, self.kind.organization(row).pk)
        query = queries.read(subresource.parameters, self.request.GET)
        if wants(CSV, request.headers.get("Accept", "")):
            whole = subresource.whole(row, query, actor=self.actor)
            whole = personal.masked(whole) if self.hides else whole
            return respond_csv(subresource_tables.rows(subresource, whole), f"{row.name}-{subresource.name}")
        value = subresource.call(row, query, actor=self.actor)
        if self.answer.shape == "Table":
            value = self.answer.shown(value)
            return self.answer.respond(subresource_tables.table(subresource, value, self.answer.version))
        return self.plain.respond(value)
