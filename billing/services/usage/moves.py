"""Move usage between accounts when the payer of a project changes."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from django.db.models import Exists, OuterRef

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


@contextmanager
def reattribute_usage_of_all(since: Mapping[int, datetime]) -> Iterator[None]:
    """Wrap changes of the payers of many projects (primary keys), each from its instant (UTC) on, as one is wrapped.

    The number of queries grows with that of different instants, not with that of projects.
    """
    locks.lock_exclusive(*since)
    used = _used_since(since)
    if not used:
        yield
        return
    where = sums.since_of_all(used)
    was = sums.counted(*where)
    yield
    sums.add(sums.difference(sums.counted(*where), was))


def _used_since(since: Mapping[int, datetime]) -> dict[datetime, list[int]]:
    """Return the projects with events from their instants on, by instant."""
    by_instant: dict[datetime, list[int]] = defaultdict(list)
    for project_id, at in since.items():
        by_instant[at].append(project_id)
    used = {}
    for at, projects in by_instant.items():
        # one entry of the index for each project; grouped, all events would be read
        events = UsageEvent.objects.filter(project=OuterRef("pk"), time__gte=at).values("pk")
        with_events = Project.objects.filter(Exists(events), pk__in=projects)
        if keys := list(with_events.order_by("pk").values_list("pk", flat=True)):
            used[at] = keys
    return used
