"""Usage is counted once, for whoever paid for the project at its time, or it waits in the queue; never is it lost."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from billing.models import UsageEvent, UsageIntake, UsageKey, UsageRollup
from billing.services.projects import archive_project
from billing.services.suspensions import suspend
from billing.services.usage.intake import report
from milo.errors import Forbidden
from tests.support import make
from tests.support.ledger import refused, staff
from tests.support.threads import at_once
from tests.support.usage import (
    MINUTE,
    REPORTER,
    a_correction,
    an_event,
    assert_rollup_is_a_recount,
    paid,
    reasons,
    rollup,
    taken,
)

pytestmark = pytest.mark.django_db
INSTANT = timedelta(microseconds=1)


@pytest.fixture
def payer(project: Any) -> Any:
    account = make.a_ready_account(project.organization)
    make.a_binding(project, account)
    return account


def test_an_event_belongs_to_who_paid_at_its_instant_exact_at_the_boundary(project: Any, payer: Any) -> None:
    later = make.a_ready_account(project.organization)
    began = project.bindings.get().established_at
    handover = make.a_binding(project, later).established_at
    times = {began - INSTANT: None, began: payer, handover - INSTANT: payer, handover: later}
    for time in times:
        taken(an_event(project, time=time))
    for account in (None, payer, later):
        assert paid(rollup(), account) == list(times.values()).count(account)
    assert_rollup_is_a_recount()


def test_sums_are_exact_to_the_last_digit(project: Any, payer: Any) -> None:
    taken(an_event(project, "99999999999999999999.999999999999"), an_event(project, "0.000000000001"))
    assert paid(rollup(), payer) == Decimal("100000000000000000000")
    taken(an_event(project, "0.000000000001"), an_event(project, "0"))
    assert paid(rollup(), payer) == Decimal("100000000000000000000.000000000001")
    assert_rollup_is_a_recount()


def test_a_repeat_is_a_duplicate_and_a_repeat_with_other_content_a_conflict(project: Any, payer: Any) -> None:
    event = an_event(project, "1.50")
    assert (first := report([event, event, {**event, "type": "other"}], actor=REPORTER)).accepted == 1
    assert (first.duplicates, reasons(first)) == (1, {2: ("id", "Conflict")})
    before = rollup()
    same = {**event, "data": event["data"] | {"quantity": "1.5"}, "traceparent": "00-1"}
    changed = {**event, "data": event["data"] | {"quantity": "2"}}
    again = report([event, same, changed], actor=REPORTER)
    assert (again.accepted, again.duplicates, reasons(again)) == (0, 2, {2: ("id", "Conflict")})
    again = report([changed], actor=REPORTER)
    assert (again.accepted, again.duplicates, reasons(again)) == (0, 0, {0: ("id", "Conflict")})
    assert rollup() == before
    assert UsageEvent.objects.count() == UsageKey.objects.count() == 1


def test_the_same_id_from_another_source_is_another_event(project: Any, payer: Any) -> None:
    event = an_event(project)
    taken(event, {**event, "source": "//meter.example/2"})
    assert paid(rollup(), payer) == 2


def test_a_correction_adds_to_what_it_names_and_may_be_negative(project: Any, payer: Any) -> None:
    event = an_event(project, "10", time=timezone.now() - 40 * 1440 * MINUTE)
    taken(event)
    correction = a_correction(event, "-2.5")
    taken(correction, a_correction(correction, "0.25"))
    assert paid(rollup(), None) == Decimal("7.75")
    assert str(UsageEvent.objects.exclude(corrects=None).earliest("quantity").quantity) == "-2.5"
    assert_rollup_is_a_recount()


def test_a_correction_of_nothing_known_or_of_something_else_is_rejected(project: Any, payer: Any) -> None:
    event, other = an_event(project), make.a_project(project.organization)
    taken(event)
    elsewhere = a_correction(event, "1") | {"subject": f"projects/{other}"}
    another_time = a_correction(event, "1", time=(timezone.now() - MINUTE).isoformat())
    unknown = a_correction({**event, "id": "nothing"}, "1")
    of_unknown = a_correction(unknown, "1")
    before = rollup()
    receipt = report([elsewhere, another_time, unknown, of_unknown], actor=REPORTER)
    assert reasons(receipt) == dict.fromkeys(range(4), ("data.corrects", "FieldValueNotFound"))
    assert rollup() == before
    taken(a_correction(event, "1"))


def test_corrections_that_correct_only_one_another_are_rejected(project: Any, payer: Any) -> None:
    event = an_event(project, "4")
    one, other = (a_correction(event, "-3", id=id) for id in ("one", "other"))
    one["data"]["corrects"]["id"], other["data"]["corrects"]["id"] = "other", "one"
    of_one, good = a_correction(one, "1"), a_correction(event, "-1")
    receipt = report([of_one, one, good, other, event], actor=REPORTER)
    assert reasons(receipt) == dict.fromkeys((0, 1, 3), ("data.corrects", "FieldValueNotFound"))
    assert receipt.accepted == 2
    assert paid(rollup(), payer) == 3


def test_late_events_are_taken_for_ever_and_counted_as_late(project: Any, payer: Any) -> None:
    receipt = taken(an_event(project, time=datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC)), an_event(project))
    assert receipt.late == 1
    assert UsageRollup.objects.unassigned().filter(granularity="day").get().starts_on.isoformat() == "1999-12-31"


def test_the_future_is_rejected_beyond_five_minutes(project: Any, payer: Any) -> None:
    soon, later = (an_event(project, time=timezone.now() + minutes * MINUTE) for minutes in (4, 6))
    receipt = report([soon, later], actor=REPORTER)
    assert (receipt.accepted, reasons(receipt)) == (1, {1: ("time", "FieldValueInvalid")})


def test_usage_of_a_suspended_account_counts(project: Any, payer: Any) -> None:
    suspend(payer.pk, reason_code="ManualReview", message="x", actor=make.PLATFORM)
    taken(an_event(project))
    assert paid(rollup(), payer) == 1


def test_usage_without_a_payer_goes_to_the_queue(project: Any) -> None:
    taken(an_event(project))
    assert paid(rollup(), None) == 1
    assert UsageRollup.objects.unassigned().filter(granularity="day").get().project == project


def test_events_ahead_of_a_handover_follow_the_new_payer_and_those_of_an_archived_project_nobody(
    project: Any, payer: Any
) -> None:
    ahead = timezone.now() + 2 * MINUTE
    taken(an_event(project, "3", time=ahead), an_event(project, "4", time=ahead), an_event(project, "1"))
    assert paid(rollup(), payer) == 8
    later = make.a_ready_account(project.organization)
    make.a_binding(project, later)
    assert [paid(rollup(), who) for who in (payer, later)] == [1, 7]
    assert_rollup_is_a_recount()
    archive_project(project.pk, actor=make.PLATFORM)
    assert [paid(rollup(), who) for who in (payer, later, None)] == [1, 0, 7]
    assert_rollup_is_a_recount()


def test_a_meter_counts_in_the_unit_of_its_first_event(project: Any, payer: Any) -> None:
    receipt = report(
        [
            an_event(project),
            an_event(project, data={"unit": "h"}),
            an_event(project, data={"meter": "m2", "unit": "h"}),
        ],
        actor=REPORTER,
    )
    assert (receipt.accepted, reasons(receipt)) == (2, {1: ("data.unit", "FieldValueInvalid")})
    receipt = report([an_event(project, data={"unit": "h"})], actor=REPORTER)
    assert reasons(receipt) == {0: ("data.unit", "FieldValueInvalid")}


DEEP = json.loads("[" * 300 + "]" * 300)
UNSEEN = "\u200b\u2060"
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "a negative quantity": ({"data": {"quantity": "-1"}}, "data.quantity"),
    "40 digits": ({"data": {"quantity": "1" * 40}}, "data.quantity"),
    "a quantity as a number": ({"data": {"quantity": 1.5}}, "data.quantity"),
    "an exponent": ({"data": {"quantity": "1e3"}}, "data.quantity"),
    "not a number": ({"data": {"quantity": "NaN"}}, "data.quantity"),
    "13 decimal places": ({"data": {"quantity": "0.0000000000001"}}, "data.quantity"),
    "an unknown project": ({"subject": "projects/nothing-here"}, "subject"),
    "a subject that is no project": ({"subject": "accounts/us"}, "subject"),
    "no unit": ({"data": {"unit": None}}, "data.unit"),
    "no unit of UCUM": ({"data": {"unit": "GB h"}}, "data.unit"),
    "an unknown field": ({"data": {"quantty": "1"}}, "data.quantty"),
    "no id": ({"id": ""}, "id"),
    "an id that is a number": ({"id": 5}, "id"),
    "an id that is too long": ({"id": "x" * 201}, "id"),
    "a NUL": ({"source": "//a\x00b"}, "source"),
    "no time zone": ({"time": "2026-11-22T10:00:00"}, "time"),
    "no such day": ({"time": "2026-02-30T10:00:00Z"}, "time"),
    "before the calendar begins": ({"time": "0001-01-01T00:00:00+14:00"}, "time"),
    "another version": ({"specversion": "0.3"}, "specversion"),
    "no attribute of CloudEvents": ({"Source": "x"}, "Source"),
    "data that is a list": ({"data": []}, "data"),
    "nested dimensions": ({"data": {"dimensions": {"a": {"b": "c"}}}}, "data.dimensions.a"),
    "deeply nested dimensions": ({"data": {"dimensions": {"a": DEEP}}}, "data.dimensions.a"),
    "a type that is nested as deeply": ({"type": DEEP}, "type"),
    "21 dimensions": ({"data": {"dimensions": {f"d{n}": "" for n in range(21)}}}, "data.dimensions"),
    "a card number": ({"data": {"dimensions": {"note": "4111 1111 1111 1111"}}}, ""),
    "a card number with two blanks": ({"data": {"dimensions": {"note": "4111  1111  1111  1111"}}}, ""),
    "a card number with other signs": ({"data": {"dimensions": {"note": "4111|1111|1111|1111"}}}, ""),
    "an escaped card number in the source": ({"source": "//meter.example/4111%201111%201111%201111"}, "source"),
    "a padded card number in the source": ({"source": f"//meter.example/{'0' * 16}4111111111111111"}, "source"),
    "a card number that nobody sees": ({"data": {"dimensions": {"note": UNSEEN.join("4111111111111111")}}}, ""),
    "a card number in the source": ({"source": "//meter.example/4111111111111111"}, "source"),
    "a card number in groups in the id": ({"id": "4111 1111 1111 1111"}, "id"),
    "a card number in the type": ({"type": "4111-1111-1111-1111"}, ""),
    "a card number in the name of a dimension": ({"data": {"dimensions": {"4111111111111111": "x"}}}, ""),
    "a card number in the source that is corrected": (
        {"data": {"corrects": {"source": "//4111111111111111", "id": "a"}}},
        "data.corrects.source",
    ),
    "a correction of itself": (
        {"id": "own", "data": {"corrects": {"source": "//meter.example/1", "id": "own"}}},
        "data.corrects",
    ),
}


def test_a_bad_event_is_rejected_with_the_field_at_fault_and_never_spoils_its_batch(project: Any, payer: Any) -> None:
    events: list[Any] = []
    for changed, _field in BAD.values():
        data = changed.get("data", {})
        event = an_event(project, **{key: value for key, value in changed.items() if key != "data"})
        event["data"] = event["data"] | data if isinstance(data, dict) else data
        events.append(event)
    good = an_event(project, "7")
    receipt = report([*events, None, [], "text", good], actor=REPORTER)
    told = {index: field for index, (field, _reason) in reasons(receipt).items()}
    expected = dict(enumerate([*(field for _changed, field in BAD.values()), "", "", ""]))
    assert told == expected
    assert receipt.accepted == 1
    assert paid(rollup(), payer) == 7


@pytest.mark.parametrize(
    "changed",
    [
        {"4111 1111 1111 1111": "x"}, {"A" * 70 + "4111111111111111": "x"}, {"data": {"4111111111111111": "x"}},
        {"data": {"unit": "4111111111111111"}}, {"data": {"dimensions": {"4111 1111 1111 1111": "x"}}},
        {"data": {"dimensions": {"4111111111111111": 5}}}, {"source": "//4111111111111111"},
    ],
)  # fmt: skip
def test_a_rejection_repeats_no_card_number(project: Any, changed: dict[str, Any]) -> None:
    [rejection] = report([an_event(project, **changed)], actor=REPORTER).rejections
    assert "4111" not in f"{rejection.cause}"


@pytest.mark.parametrize(
    "source",
    ["urn:imei:490154203237518", "//sim.example/8949222222222222225", "//4f9c1111-1111-4111-8111-111111111111"],
)
def test_a_device_reports_by_its_own_number(project: Any, payer: Any, source: str) -> None:
    taken(an_event(project, source=source, id="4111111111111111"))


def test_what_can_be_said_is_taken(project: Any, payer: Any) -> None:
    odd = {
        "dimensions": {"path": "C:\\temp\\n", "quote": '"\\', "name": "Zürich 東京", "empty": ""},
        "unit": "{request}/s",
    }
    taken(an_event(project, id="a\\tb", source="//x\\N", data=odd | {"meter": "odd"}))
    kept = UsageEvent.objects.get()
    assert (kept.event_id, kept.source, kept.dimensions) == ("a\\tb", "//x\\N", odd["dimensions"])


def test_only_reporters_report(project: Any) -> None:
    with refused(Forbidden):
        report([an_event(project)], actor=staff("finance-operator", "auditor", "charge-reporter"))


def test_who_reported_and_when_is_kept(project: Any) -> None:
    taken(an_event(project))
    assert UsageIntake.objects.get(pk=UsageEvent.objects.get().intake_id).reporter == REPORTER.name


@pytest.mark.django_db(transaction=True)
def test_batches_with_the_same_events_at_once_are_counted_once_and_nobody_waits_in_a_circle(project: Any) -> None:
    make.a_binding(project, make.a_ready_account(project.organization))
    projects = [project, *(make.a_project(project.organization) for _ in range(3))]
    meters = [f"meter-{n}" for n in range(5)]
    events = [an_event(projects[n % 4], data={"meter": meters[n % 5]}) for n in range(60)]
    batches = [events[n:] + events[:n] for n in range(0, 60, 10)] + [list(reversed(events))]
    outcomes: list[Any] = at_once([partial(report, batch, actor=REPORTER) for batch in batches])
    assert sum(receipt.accepted for receipt in outcomes) == 60
    assert sum(receipt.duplicates for receipt in outcomes) == 60 * (len(batches) - 1)
    assert not any(receipt.rejections for receipt in outcomes)
    assert_rollup_is_a_recount()


@pytest.mark.django_db(transaction=True)
def test_intakes_and_handovers_at_once_leave_each_event_with_the_payer_of_its_instant(project: Any) -> None:
    accounts = [make.a_ready_account(project.organization) for _ in range(2)]
    rounds = 10 if connection.vendor == "postgresql" else 3

    def reporting() -> None:
        for _ in range(rounds * 4):
            now = timezone.now()
            taken(*(an_event(project, time=now + timedelta(milliseconds=ms)) for ms in (-2, 0, 2, 50)))

    def rebinding() -> None:
        for number in range(rounds):
            make.a_binding(project, accounts[number % 2])

    assert at_once([reporting, rebinding, reporting]) == [None] * 3
    assert UsageEvent.objects.count() == rounds * 4 * 4 * 2
    assert_rollup_is_a_recount()
