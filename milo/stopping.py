"""The graceful stop of a process that serves: it says that it is not ready, ends its watches, and then leaves."""

from collections.abc import Callable

from milo import readiness
from milo.readiness import Unready

_when_ending: list[Callable[[], None]] = []


class _State:
    begun = False
    ending = False


def begin() -> None:
    """Fail readiness from now on. Requests are still served, until balancers send none."""
    _State.begun = True


def end_streams() -> None:
    """Have everything that streams without an end come to one. Called in the event loop."""
    _State.begun = _State.ending = True
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
    if _State.begun:
        raise Unready("the process is shutting down")
