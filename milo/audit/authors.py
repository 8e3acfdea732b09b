"""The current author, for rows that a library writes without naming one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from milo import provenance

_NO_CREDENTIAL = "", ""
_author: ContextVar[Callable[[], str] | None] = ContextVar("milo_author", default=None)
_credential: ContextVar[Callable[[], tuple[str, str]] | None] = ContextVar("milo_author_credential", default=None)


def author() -> str:
    """Return the name of the current author: the person of a request, otherwise a system actor. It is never empty."""
    named = _author.get()
    if named:
        return named()
    return "system:task" if provenance.request_id().startswith("task:") else "system:shell"


def credential() -> tuple[str, str]:
    """Return the credential of the current author and its maker; each may be empty."""
    known = _credential.get()
    return known() if known else _NO_CREDENTIAL


@contextmanager
def working(name: Callable[[], str], by: Callable[[], tuple[str, str]] = lambda: _NO_CREDENTIAL) -> Iterator[None]:
    """Set author and credential of rows that libraries write inside. Both functions are called at each write."""
    token, credential_token = _author.set(name), _credential.set(by)
    try:
        yield
    finally:
        _author.reset(token)
        _credential.reset(credential_token)
