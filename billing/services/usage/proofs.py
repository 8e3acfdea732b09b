"""Proof of usage: the digest of each intake is sealed, its events are what the digest was made of, and none is missing.

An event stands for itself in `UsageKey`: the hash of its (source, id) and of what it said. The intake's digest is made
of those, so that an event that was altered, removed or added is found even where its key and the sums were adjusted.
"""

from collections.abc import Iterator
from datetime import date
from functools import cache
from itertools import groupby, islice

import orjson
from django.db import connection
from django.db.models import Exists, OuterRef

from billing.models import UsageEvent, UsageIntake, UsageKey, UsageMeter, usage_partitions
from billing.models.usage_partitions import TABLE as EVENT
from billing.services.usage.recounts import one_moment
from billing.usage import digests
from billing.usage.facts import content_of, key_of, text_of
from billing.usage.quantities import plain
from milo.ledger.live import Difference
from projects.models import Project

AT_ONCE = 2000
INTAKE = UsageIntake._meta.db_table


def differences() -> Iterator[Difference]:
    """Yield each intake and each event that is not what was reported, read at one moment, in constant memory."""
    with one_moment():
        yield from _intakes()
        yield from _events()
        yield from _missing()


def _intakes() -> Iterator[Difference]:
    """Intakes whose keys are not those that their digest was made of."""
    columns = ("intake_id", "key", "content", "project_id", "meter_id", "time")
    keys = UsageKey.objects.order_by("intake_id", "key").values_list(*columns).iterator(AT_ONCE)
    by_intake = groupby(keys, key=lambda row: row[0])
    group = next(by_intake, None)
    for pk, events, digest in (
        UsageIntake.objects.order_by("pk").values_list("pk", "events", "digest").iterator(AT_ONCE)
    ):
        while group and group[0] < pk:
            yield Difference(INTAKE, group[0], "is missing, and its events are not")
            group = next(by_intake, None)
        lines: list[str] = []
        if group and group[0] == pk:
            lines = [
                digests.line(key.hex, content.hex, project_id, meter_id, digests.instant(time))
                for _pk, key, content, project_id, meter_id, time in group[1]
            ]
            group = next(by_intake, None)
        # a process of a version before has written no digest
        if digest and (len(lines), digests.digest(lines)) != (events, digest):
            yield Difference(
                INTAKE, pk, f"had {events} events, which are not the {len(lines)} that are known of it now"
            )
    while group:
        yield Difference(INTAKE, group[0], "is missing, and its events are not")
        group = next(by_intake, None)


def _events() -> Iterator[Difference]:
    """Events that do not say what their key stands for."""
    rows = UsageEvent.objects.order_by("project_id", "time", "key").iterator(AT_ONCE)
    while batch := list(islice(rows, AT_ONCE)):
        keys = UsageKey.objects.in_bulk([event.key for event in batch])
        meters = UsageMeter.objects.in_bulk({event.meter_id for event in batch})
        projects = dict(Project.objects.filter(pk__in={event.project_id for event in batch}).values_list("pk", "name"))
        for event in batch:
            if why := _fault(event, keys.get(event.key), meters.get(event.meter_id), projects.get(event.project_id)):
                yield Difference(EVENT, None, f"the event {event.event_id} of {event.source} {why}")


def _fault(event: UsageEvent, key: UsageKey | None, meter: UsageMeter | None, project: str | None) -> str:
    if key is None:
        return "was reported by no intake"
    same = ("intake_id", "project_id", "meter_id", "time")
    if any(getattr(event, name) != getattr(key, name) for name in same) or meter is None or project is None:
        return "is not in the place that it was reported for"
    dimensions = orjson.dumps(event.dimensions, option=orjson.OPT_SORT_KEYS).decode()
    content = content_of(
        digests.instant(event.time),
        project,
        plain(event.quantity),
        event.corrects.hex if event.corrects else None,
        text_of(event.type, meter.service, meter.name, meter.unit, dimensions),
    )
    if (key_of(event.source, event.event_id), content) != (event.key.hex, key.content.hex):
        return "is not what was reported"
    return ""


def _missing() -> Iterator[Difference]:
    """Events whose key is known and whose month is there, but which are not."""
    event = UsageEvent.objects.filter(project_id=OuterRef("project_id"), time=OuterRef("time"), key=OuterRef("key"))
    gone = UsageKey.objects.filter(~Exists(event))
    detached = cache(_detached)
    for key, intake_id, time in gone.values_list("key", "intake_id", "time").iterator(AT_ONCE):
        if not detached(date(time.year, time.month, 1)):
            yield Difference(
                EVENT, None, f"an event (key {key.hex}) of {time.isoformat()}, intake {intake_id}, is missing"
            )


def _detached(month: date) -> bool:
    """Whether the events of a month were detached by retention: it has no partition, and the default one has none."""
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM pg_inherits WHERE inhparent = to_regclass(%s) AND inhrelid = to_regclass(%s)",
            [f"public.{EVENT}", f"public.{usage_partitions.name(month)}"],
        )
        return cursor.fetchone() is None and not usage_partitions.held_by_default(connection, month)
