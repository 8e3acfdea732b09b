"""Prove that recorded usage events are those that were reported: none is altered, missing or added.

`UsageKey` holds two hashes of each event: of its (source, id), and of its content. The digest of an intake covers the
hashes of its events, and the ledger seals the digest. So an altered, removed or added event is found even if its key
and the sums were adjusted to it.
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
    """Yield each intake and each event that differs from what was reported, from one snapshot, in constant memory."""
    with one_moment():
        yield from _intakes()
        yield from _events()
        yield from _missing()


def _intakes() -> Iterator[Difference]:
    """Yield the intakes whose keys do not give their digest. Both are read in the order of intakes, and merged."""
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
        # empty: written by a process of a version before digests
        if digest and (len(lines), digests.digest(lines)) != (events, digest):
            yield Difference(
                INTAKE, pk, f"had {events} events, which are not the {len(lines)} that are known of it now"
            )
    while group:
        yield Difference(INTAKE, group[0], "is missing, and its events are not")
        group = next(by_intake, None)


def _events() -> Iterator[Difference]:
    """Yield the events whose content does not give the hashes of their key."""
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
    """Yield the missing events: their key is recorded, and the partition of their month was not detached."""
    event = UsageEvent.objects.filter(project_id=OuterRef("project_id"), time=OuterRef("time"), key=OuterRef("key"))
    gone = UsageKey.objects.filter(~Exists(event))
    detached = cache(_detached)
    for key, intake_id, time in gone.values_list("key", "intake_id", "time").iterator(AT_ONCE):
        if not detached(date(time.year, time.month, 1)):
            yield Difference(
                EVENT, None, f"an event (key {key.hex}) of {time.isoformat()}, intake {intake_id}, is missing"
            )


def _detached(month: date) -> bool:
    """Return whether retention detached the events of a month: no partition, and none of them in the default one."""
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM pg_inherits WHERE inhparent = to_regclass(%s) AND inhrelid = to_regclass(%s)",
            [f"public.{EVENT}", f"public.{usage_partitions.name(month)}"],
        )
        return cursor.fetchone() is None and not usage_partitions.held_by_default(connection, month)
