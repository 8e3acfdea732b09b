"""Writes that a client can repeat: with an Idempotency-Key they take effect once."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.http import HttpResponse
from django.utils.translation import gettext as _

from milo import audit
from milo.errors import NotFound
from milo.kube.store import responses


class SafeRetry:
    """Mixin of views: process a keyed request once, and answer a repeated one from storage."""

    request: Any
    actor: Any
    parameters: Any
    kind: ClassVar[Any] = None
    idempotency_key = ""
    revision_shown = ""
    owner_shown: int | None = None
    """Primary key of the organization that owns the object shown after a write."""

    def once(self, write: Callable[[], HttpResponse], content: bytes | None = None) -> HttpResponse:
        """Call `write` and store its answer, or return the stored answer of the first request with this key.

        `content` is the body to compare; the default is the raw body. Refusals are not stored: nothing has changed, so
        the request is processed again. Raises `InProgress` while the first request is processed, `Invalid` where its
        content differs, and `NotFound` where the actor may no longer read the object.
        """
        if not self.idempotency_key or self.parameters.dry_run:
            return audit.repeated(write)()
        sent = self.request._request
        beside = f"{sent.META.get('QUERY_STRING', '')}\n".encode()
        request = responses.KeyedRequest(
            self.actor.name,
            f"{sent.method} {sent.path}",
            self.idempotency_key,
            beside + (sent.body if content is None else content),
        )
        with responses.lock_exclusive(request):
            return audit.repeated(self._answered)(request, write)

    def _answered(self, request: responses.KeyedRequest, write: Callable[[], HttpResponse]) -> HttpResponse:
        with audit.transaction():
            recorded = responses.find(request)
            if recorded is None:
                response = write()
                responses.record(request, response, revision=self.revision_shown, organization_id=self.owner_shown)
                return response
        if recorded.organization_id and not self.actor.may("get", self.kind.plural, recorded.organization_id):
            raise NotFound(_("the server could not find the requested resource"))
        self.revision_shown = recorded.revision
        return responses.replay(recorded)
