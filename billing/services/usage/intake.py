"""Take batches of usage events: each event is counted once, for the account that pays for its project at its time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.access import USAGE_EVENTS
from billing.features import USAGE_INTAKE
from billing.metrics import count_events
from billing.models import UsageIntake, UsageMeter
from billing.services.usage import locks, staging, sums, times
from billing.services.usage.staging import Staged
from billing.usage import digests
from billing.usage.cloudevents import Rejected, read
from billing.usage.facts import Fact
from milo import audit, clock, feature_gates
from milo.access import Actor
from milo.errors import Cause
from projects.models import Project

AHEAD = timedelta(minutes=5)
"""The clock skew that is tolerated: an event later than now by more than this is rejected."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A rejected event: its index in the batch, from 0, and why."""

    index: int
    cause: Cause


@dataclass(slots=True)
class Receipt:
    """The outcome of a batch. `late` counts the accepted events older than MILO_USAGE_LATE_DAYS."""

    accepted: int = 0
    duplicates: int = 0
    late: int = 0
    rejections: list[Rejection] = field(default_factory=list)


class _Batch:
    """The accepted facts of a batch by key, in the order of the batch, their indexes, and the receipt so far."""

    def __init__(self) -> None:
        self.receipt = Receipt()
        self.facts: dict[str, Fact] = {}
        self.places: dict[str, int] = {}
        self.has_future = False

    def take(self, index: int, event: Any, latest: datetime) -> None:
        """Read an event and add its fact; a fault is a rejection, a repeat within the batch a duplicate."""
        try:
            fact = read(event)
            if fact.time > latest:
                self.has_future = True
                raise Rejected("time", _("is in the future"))
            known = self.facts.setdefault(fact.key, fact)
            if known is fact:
                self.places[fact.key] = index
            elif known.content == fact.content:
                self.receipt.duplicates += 1
            else:
                raise Rejected("id", _("is known with other content"), "Conflict")
        except Rejected as rejected:
            self.receipt.rejections.append(Rejection(index, rejected.cause))

    def reject(self, key: str, field: str, message: str, reason: str = "FieldValueInvalid") -> None:
        """Remove a fact and record its rejection."""
        del self.facts[key]
        self.receipt.rejections.append(Rejection(self.places[key], Cause(field, message, reason)))

    def repeat(self, key: str) -> None:
        """Remove a fact that another intake has recorded, and count it as a duplicate."""
        del self.facts[key]
        self.receipt.duplicates += 1


def report(events: Iterable[Any], *, actor: Actor) -> Receipt:
    """Take a batch of CloudEvents, each a JSON value, in one transaction. Idempotent for each event.

    The receipt counts every event: accepted; a duplicate, if its (source, id) is known with the same content; or
    rejected with its cause, which does not affect the others. Raises `Forbidden`; `FeatureDisabled`; `ClockWrong`.
    """
    actor.require("create", USAGE_EVENTS, None)
    feature_gates.require(USAGE_INTAKE)
    batch, latest = _Batch(), timezone.now() + AHEAD
    for index, event in enumerate(events):
        batch.take(index, event, latest)
    if batch.has_future:
        # a rejection is for good: a process that is behind would lose what was measured at its time
        clock.refuse_wrong()
    with audit.transaction():
        staged = _resolve(batch)
        if staged:
            _record(batch, staged, actor)
    receipt = batch.receipt
    receipt.rejections.sort(key=lambda rejection: rejection.index)
    count_events(accepted=receipt.accepted, duplicate=receipt.duplicates, rejected=len(receipt.rejections))
    return receipt


def _resolve(batch: _Batch) -> list[Staged]:
    """Return the facts with the keys of their projects and meters; reject those of no project, or of another unit."""
    names = {fact.project for fact in batch.facts.values()}
    projects = dict(Project.objects.filter(name__in=names).values_list("name", "pk"))
    for key, fact in [(key, fact) for key, fact in batch.facts.items() if fact.project not in projects]:
        batch.reject(key, "subject", _("there is no project %(name)s") % {"name": fact.project}, "FieldValueNotFound")
    meters = _meters(batch.facts.values())
    staged = []
    for key, fact in list(batch.facts.items()):
        meter = meters[fact.service, fact.meter]
        if fact.unit == meter.unit:
            staged.append(Staged(fact, projects[fact.project], meter.pk))
        else:
            message = _("must be %(unit)s, the unit of this meter since its first event") % {"unit": meter.unit}
            batch.reject(key, "data.unit", message)
    return staged


def _meters(facts: Iterable[Fact]) -> dict[tuple[str, str], UsageMeter]:
    """Return the meters of the facts by service and name; a new meter gets the unit of its first fact."""
    units: dict[tuple[str, str], str] = {}
    for fact in facts:
        units.setdefault((fact.service, fact.meter), fact.unit)
    meters = _known(units)
    if new := sorted(units.keys() - meters.keys()):
        rows = [UsageMeter(service=service, name=name, unit=units[service, name]) for service, name in new]
        UsageMeter.objects.bulk_create(rows, ignore_conflicts=True)
        meters = _known(units)
    return meters


def _known(names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], UsageMeter]:
    services, meters = {service for service, _name in names}, {name for _service, name in names}
    rows = UsageMeter.objects.filter(service__in=services, name__in=meters)
    return {(meter.service, meter.name): meter for meter in rows}


def _record(batch: _Batch, staged: Sequence[Staged], actor: Actor) -> None:
    """Record the staged facts: lock, stage, drop what is invalid or known, digest, store, add to the sums.

    The order matters. The lock comes first, so that no payer changes before the commit. Keys are recorded before the
    events, because the unique key is what makes an intake idempotent while others run. The digest comes last of what
    the intake row holds: it covers exactly the events that are left.
    """
    locks.lock_shared(row.project_id for row in staged)
    intake = UsageIntake(staging.reserve_intake(), actor.name, times.arrival())
    staging.stage(staged)
    if any(row.fact.corrects for row in staged):
        # repeated, because a dropped correction may itself be corrected
        while groundless := staging.groundless_corrections() | _circular(batch.facts):
            staging.drop(groundless)
            for key in groundless:
                message = _("must name a known event of the same subject, meter and time")
                batch.reject(key, "data.corrects", message, "FieldValueNotFound")
    if staging.record_keys(intake) < len(batch.facts):
        known = staging.known_before(intake)
        staging.drop(set(known))
        for key, same in known.items():
            if same:
                batch.repeat(key)
            else:
                batch.reject(key, "id", _("is known with other content"), "Conflict")
    lines = [
        digests.line(key, row.fact.content, row.project_id, row.meter_id, row.fact.instant)
        for row in staged
        if (key := row.fact.key) in batch.facts
    ]
    intake.events, intake.digest = len(lines), digests.digest(lines)
    intake.save(force_insert=True)
    staging.record_events(intake)
    arrived = connection.ops.adapt_datetimefield_value(intake.received_at)
    sums.add_counted(staging.ARRIVING, [arrived])
    batch.receipt.accepted = len(batch.facts)
    late = intake.received_at - timedelta(days=settings.MILO_USAGE_LATE_DAYS)
    batch.receipt.late = sum(fact.time < late for fact in batch.facts.values())


def _circular(facts: Mapping[str, Fact]) -> set[str]:
    """Return the keys of corrections in a cycle, or that lead into one: they correct no reported usage."""
    # whether each key is circular, as far as known; every path is walked once
    circular: dict[str, bool] = {}
    for key in facts:
        path: dict[str, None] = {}
        at: str | None = key
        while at is not None and at in facts and at not in circular and at not in path:
            path[at] = None
            at = facts[at].corrects
        circular |= dict.fromkeys(path, at is not None and circular.get(at, at in path))
    return {key for key, is_circular in circular.items() if is_circular}
