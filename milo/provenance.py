"""Where a change comes from: the request that asked for it, and the approval that allowed it."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from structlog.contextvars import bound_contextvars

_request_id: ContextVar[str] = ContextVar("milo_request_id", default="")
_credential: ContextVar[tuple[str, str]] = ContextVar("milo_credential", default=("", ""))
_approval: ContextVar[uuid.UUID | None] = ContextVar("milo_approval", default=None)


def request_id() -> str:
    """The id of the request or task that is at work; empty in a shell."""
    return _request_id.get()


def approval() -> uuid.UUID | None:
    """The uid of the approval request whose effect is being applied."""
    return _approval.get()


def credential() -> str:
    """The credential by which the author of the present write is here, such as `token:12`; empty for none."""
    return _credential.get()[0]


def credential_maker() -> str:
    """Who made that credential, where it was somebody other than the author."""
    return _credential.get()[1]


@contextmanager
def by_credential(credential: str, maker: str) -> Iterator[None]:
    """History rows written inside name this credential and who made it."""
    token = _credential.set((credential, maker))
    try:
        yield
    finally:
        _credential.reset(token)


@contextmanager
def asked_by(request: str) -> Iterator[None]:
    """History rows and log lines written inside carry this id of a request, of at most 64 characters."""
    token = _request_id.set(request)
    try:
        with bound_contextvars(request_id=request):
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
