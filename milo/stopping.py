"""The graceful stop of a process that serves: it says that it is not ready, ends its watches, and then leaves."""

from collections.abc import Callable

from milo import readiness
from milo.readiness import Unready

_when_ending: list[Callable[[], None]] = []


class _State:
    asked = False
    ending = False


def ask() -> None:
    """Have readiness fail from now on. Requests are served still, until nobody sends any more."""
    _State.asked = True


def end_streams() -> None:
    """Have everything that streams without an end come to one. Called in the event loop."""
    _State.asked = _State.ending = True
    for wake in _when_ending:
        wake()


def ending() -> bool:
    """Whether streams end now."""
    return _State.ending


def when_ending(wake: Callable[[], None]) -> Callable[[], None]:
    """Register a function that wakes what streams, so that it looks at `ending`."""
    _when_ending.append(wake)
    return wake


@readiness.check("shutdown")
def _shutdown() -> None:
    if _State.asked:
        raise Unready("the process is shutting down")
