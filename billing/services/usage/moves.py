"""Move usage between accounts when the payer of a project changes."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from billing.models import UsageEvent
from billing.services.usage import locks, sums
from milo.compiled_queries import CompiledQuery, Param
from projects.models import Project

_EVENTS_SINCE = CompiledQuery(
    lambda: UsageEvent.objects.filter(project=Param("project"), time__gte=Param("at")).values("pk")[:1]
)


@contextmanager
def reattribute_usage(project: Project, at: datetime) -> Iterator[None]:
    """Wrap a change of the payer of `project` from the instant `at` (UTC) on, in the caller's transaction.

    Clocks differ: events slightly later than `at` may have arrived already, and count for the previous payer. They are
    counted before and after the wrapped change, and the difference is added to the sums. Lock order: after projects and
    accounts, for which no intake waits.
    """
    locks.lock_exclusive(project.pk)
    if not _EVENTS_SINCE.fetch(project=project.pk, at=at):
        yield
        return
    where = sums.since(project.pk, at)
    was = sums.counted(*where)
    yield
    sums.add(sums.difference(sums.counted(*where), was))
