"""Where a change comes from: the request that asked for it, and the approval that allowed it."""

import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.http import HttpRequest
from django.http.response import HttpResponseBase

HEADER = "X-Request-ID"
_ACCEPTED = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_request_id: ContextVar[str] = ContextVar("milo_request_id", default="")
_approval: ContextVar[uuid.UUID | None] = ContextVar("milo_approval", default=None)


def request_id() -> str:
    """The id of the request or task that is at work; empty in a shell."""
    return _request_id.get()


def approval() -> uuid.UUID | None:
    """The uid of the approval request whose effect is being applied."""
    return _approval.get()


@contextmanager
def asked_by(request: str) -> Iterator[None]:
    """History rows written inside carry this id of a request, of at most 64 characters."""
    token = _request_id.set(request)
    try:
        yield
    finally:
        _request_id.reset(token)


@contextmanager
def allowed_by(request: uuid.UUID) -> Iterator[None]:
    """History rows written inside name this approval request as what allowed them."""
    token = _approval.set(request)
    try:
        yield
    finally:
        _approval.reset(token)


class RequestIdMiddleware:
    """Gives each request an id, its client's own where that is 1 to 64 letters, digits, dots, colons, dashes or
    underscores, and answers with it, so that a line of the history leads to the lines of a log."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get(HEADER, "")
        with asked_by(given if _ACCEPTED.fullmatch(given) else str(uuid.uuid4())):
            response = self.get_response(request)
            response[HEADER] = request_id()
        return response
