"""Work that has to be done before an act locks anything, in transactions of its own.

Work and act in one transaction would lock rows in turn, out of their order, and two of them could deadlock. A service
that finds such work calls `beforehand` first. Where a transaction is open already, for an Idempotency-Key or If-Match,
it is rolled back, `repeated` does the work, and the act begins anew.
"""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.utils.translation import gettext as _

from milo.audit.transactions import is_open
from milo.errors import Unavailable

T = TypeVar("T")
P = ParamSpec("P")
_ATTEMPTS = 5


class Beforehand(Unavailable):
    """The transaction must end before `work` is done. Where nobody repeats the act, the client does."""

    def __init__(self, work: Callable[[], object], message: str = "") -> None:
        self.work = work
        super().__init__(message or _("something else takes effect at this moment; try again"))


def beforehand(work: Callable[[], object]) -> None:
    """Do `work`, which opens transactions of its own. Call it before any lock.

    Raises `Beforehand` inside a transaction, for `repeated`.
    """
    if is_open():
        raise Beforehand(work)
    work()


def repeated(act: Callable[P, T]) -> Callable[P, T]:
    """Have `act` called anew after the work that has to be done before it. Inside a transaction it is called once."""

    @wraps(act)
    def repeat(*args: P.args, **kwargs: P.kwargs) -> T:
        for _attempt in range(_ATTEMPTS - 1):
            try:
                return act(*args, **kwargs)
            except Beforehand as found:
                if is_open():
                    raise
                found.work()
        return act(*args, **kwargs)

    return repeat
