"""Who is at work: the author of rows that a library writes, which names nobody."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from milo import provenance

_NO_CREDENTIAL = "", ""
_author: ContextVar[Callable[[], str] | None] = ContextVar("milo_author", default=None)
_credential: ContextVar[Callable[[], tuple[str, str]] | None] = ContextVar("milo_author_credential", default=None)


def author() -> str:
    """Return the name of whoever is at work: of a request its person, else a system actor. It is never empty."""
    named = _author.get()
    if named:
        return named()
    return "system:task" if provenance.request_id().startswith("task:") else "system:shell"


def credential() -> tuple[str, str]:
    """Return the credential by which the author is here, and who made it; each is empty where there is none."""
    known = _credential.get()
    return known() if known else _NO_CREDENTIAL


@contextmanager
def working(name: Callable[[], str], by: Callable[[], tuple[str, str]] = lambda: _NO_CREDENTIAL) -> Iterator[None]:
    """Make `name` answer for what libraries write inside, by the credential `by`; both are asked at each write."""
    token, credential_token = _author.set(name), _credential.set(by)
    try:
        yield
    finally:
        _author.reset(token)
        _credential.reset(credential_token)
