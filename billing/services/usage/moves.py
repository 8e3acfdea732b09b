"""Usage follows whoever pays: what a change of payer takes from one account and gives to another."""

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
    """Around a change of who pays for `project` from the instant `at` (UTC) on, within the caller's act.

    Clocks differ, so events from a little later than `at` may have been counted for the payer before; they are counted
    for the new one afterwards. Lock order: after projects and accounts, and no intake waits for those.
    """
    locks.lock_exclusive(project.pk)
    if not _EVENTS_SINCE.fetch(project=project.pk, at=at):
        yield
        return
    where = sums.since(project.pk, at)
    was = sums.counted(*where)
    yield
    sums.add(sums.difference(sums.counted(*where), was))
