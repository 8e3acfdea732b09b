"""Usage is proved: an event that was altered, removed or added is found, its key and its sums adjusted or not."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import orjson
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from billing.models import UsageEvent, UsageIntake, UsageKey, UsageMeter, UsageRollup
from billing.services.usage import recounts, sums
from billing.services.usage.intake import report
from billing.usage import digests
from billing.usage.facts import content_of, text_of
from billing.usage.quantities import plain
from milo.ledger import seals
from milo.ledger.verification import verify
from projects.models import Organization, Project
from tests.support import make, tamper
from tests.support.usage import REPORTER, a_correction, an_event, taken

pytestmark = pytest.mark.django_db


@pytest.fixture
def sealed_project(organization: Organization, project: Project) -> Project:
    """Usage that is sealed: two intakes, a correction, every kind of dimension and time, repeats and rejections."""
    other = make.a_project(organization)
    make.a_binding(project, make.a_ready_account(organization))
    named = {"dimensions": {"zone": "b", "region": "\u00e4\u4e16\U0001f600", "empty": "", "q": '\\"'}}
    first = an_event(project, "12345678901234567890.123456789012", time="2026-03-01T12:00:00.123456+02:00", data=named)
    taken(first, an_event(project, "1.50"), an_event(other, "0"), a_correction(first, "-0.5"))
    receipt = report([first, an_event(project, "7", time="2026-03-01T12:00:00Z"), {"id": "bad"}], actor=REPORTER)
    assert (receipt.accepted, receipt.duplicates, len(receipt.rejections)) == (1, 1, 1)
    report([first], actor=REPORTER)
    seals.seal()
    assert verify().faults == []
    call_command("usage", "verify")
    return project


def event() -> Any:
    return UsageEvent.objects.earliest("time")


def at(found: Any) -> Any:
    return UsageEvent.objects.filter(key=found.key)


def adjust(found: Any, **columns: Any) -> None:
    """Alter an event together with what its key says of it."""
    at(found).update(**columns)
    changed = at(found).select_related("meter", "project").get()
    said = content_of(
        digests.instant(changed.time),
        changed.project.name,
        plain(changed.quantity),
        None,
        text_of(
            changed.type,
            changed.meter.service,
            changed.meter.name,
            changed.meter.unit,
            orjson.dumps(changed.dimensions, option=orjson.OPT_SORT_KEYS).decode(),
        ),
    )
    UsageKey.objects.filter(pk=found.key).update(content=said, time=changed.time, project_id=changed.project_id)


def add(with_key: bool) -> None:
    values = UsageEvent.objects.values().earliest("time")
    values = values | {"key": uuid4(), "event_id": "forged"}
    UsageEvent.objects.bulk_create([UsageEvent(**values)])
    if with_key:
        known = UsageKey.objects.values().earliest("time") | {"key": values["key"]}
        UsageKey.objects.bulk_create([UsageKey(**known)])


def remove_with_key() -> None:
    key = event().key
    at(event())._raw_delete("default")
    UsageKey.objects.filter(pk=key)._raw_delete("default")


def forge_digest() -> None:
    add(with_key=True)
    for intake in UsageIntake.objects.all():
        rows = UsageKey.objects.filter(intake=intake)
        lines = [
            digests.line(row.key.hex, row.content.hex, row.project_id, row.meter_id, digests.instant(row.time))
            for row in rows
        ]
        UsageIntake.objects.filter(pk=intake.pk).update(events=len(lines), digest=digests.digest(lines))


TAMPERING: dict[str, Callable[[], object]] = {
    "quantity": lambda: at(event()).update(quantity=Decimal(2)),
    "quantity and key": lambda: adjust(event(), quantity=Decimal(2)),
    "time": lambda: at(event()).update(time=event().time + timedelta(days=1)),
    "time and key": lambda: adjust(event(), time=event().time + timedelta(days=1)),
    "project and key": lambda: adjust(event(), project_id=Project.objects.latest("pk").pk),
    "type": lambda: at(event()).update(type="another"),
    "source": lambda: at(event()).update(source="//another"),
    "id": lambda: at(event()).update(event_id="another"),
    "dimensions": lambda: at(event()).update(dimensions={"zone": "c"}),
    "intake": lambda: at(event()).update(intake_id=UsageIntake.objects.latest("pk").pk),
    "corrects": lambda: UsageEvent.objects.exclude(corrects=None).update(corrects=None),
    "removed": lambda: at(event())._raw_delete("default"),
    "removed with its key": remove_with_key,
    "added": lambda: add(with_key=False),
    "added with its key": lambda: add(with_key=True),
    "added with its key and digest": forge_digest,
    "key": lambda: UsageKey.objects.filter(pk=event().key).update(content=uuid4()),
    "key removed": lambda: UsageKey.objects.filter(pk=event().key)._raw_delete("default"),
    "reporter": lambda: UsageIntake.objects.update(reporter="user:nobody"),
    "arrival": lambda: UsageIntake.objects.update(received_at=event().time),
    "intake removed": lambda: UsageIntake.objects.earliest("pk").delete(),
    "unit": lambda: UsageMeter.objects.update(unit="h"),
    "meter": lambda: UsageMeter.objects.update(name="another"),
}


@pytest.mark.parametrize("name", TAMPERING)
def test_what_was_done_to_usage_is_found_though_the_sums_were_adjusted(name: str, sealed_project: Project) -> None:
    with tamper.guards_off():
        TAMPERING[name]()
        UsageRollup.objects.all()._raw_delete("default")
        for each in Project.objects.all():
            for chunk in recounts.chunks(each):
                sums.add(recounts._missing(chunk))
    tables = {fault.table for fault in verify().faults}
    assert tables & {"billing_usageevent", "billing_usageintake", "billing_usagemeter"}


@pytest.mark.parametrize("name", ["quantity", "quantity and key", "removed", "added with its key"])
def test_the_command_names_what_is_not_as_it_was_reported(name: str, sealed_project: Project) -> None:
    with tamper.guards_off():
        TAMPERING[name]()
    with pytest.raises(CommandError, match="not as they were reported"):
        call_command("usage", "verify")


def test_sums_that_were_adjusted_are_found(sealed_project: Project) -> None:
    UsageRollup.objects.update(events=9)
    with pytest.raises(CommandError, match="differ from their events"):
        call_command("usage", "verify")


def test_a_month_that_was_detached_is_not_missing(sealed_project: Project) -> None:
    if connection.vendor != "postgresql":
        return
    with tamper.guards_off(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM billing_usageevent_default")
    assert verify().faults == []
