"""Who is at work: the author of rows that a library writes, which names nobody."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from milo import provenance

_author: ContextVar[Callable[[], str] | None] = ContextVar("milo_author", default=None)


def author() -> str:
    """Return the name of whoever is at work: of a request its person, else a system actor. It is never empty."""
    named = _author.get()
    if named:
        return named()
    return "system:task" if provenance.request_id().startswith("task:") else "system:shell"


@contextmanager
def working(name: Callable[[], str]) -> Iterator[None]:
    """Make `name` answer for what libraries write inside; it is asked at each write."""
    token = _author.set(name)
    try:
        yield
    finally:
        _author.reset(token)
