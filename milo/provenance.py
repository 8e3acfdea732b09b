"""The provenance of a change, in context variables: request, credential and approval."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from structlog.contextvars import bound_contextvars

_request_id: ContextVar[str] = ContextVar("milo_request_id", default="")
_credential: ContextVar[tuple[str, str]] = ContextVar("milo_credential", default=("", ""))
_approval: ContextVar[uuid.UUID | None] = ContextVar("milo_approval", default=None)


def request_id() -> str:
    """Return the id of the current request or task; empty in a shell."""
    return _request_id.get()


def approval() -> uuid.UUID | None:
    """Return the uid of the approval request that is being applied, if any."""
    return _approval.get()


def credential() -> str:
    """Return the credential of the current author, such as `token:12`; empty for none."""
    return _credential.get()[0]


def credential_maker() -> str:
    """Return the maker of that credential; empty if it is the author."""
    return _credential.get()[1]


@contextmanager
def by_credential(credential: str, maker: str) -> Iterator[None]:
    """Record this credential and its maker in history rows written inside."""
    token = _credential.set((credential, maker))
    try:
        yield
    finally:
        _credential.reset(token)


@contextmanager
def asked_by(request: str) -> Iterator[None]:
    """Record this request id (at most 64 characters) in history rows and log lines written inside."""
    token = _request_id.set(request)
    try:
        with bound_contextvars(request_id=request):
            yield
    finally:
        _request_id.reset(token)


@contextmanager
def allowed_by(request: uuid.UUID) -> Iterator[None]:
    """Record this approval request in history rows written inside."""
    token = _approval.set(request)
    try:
        yield
    finally:
        _approval.reset(token)
