"""POST of usage events: CloudEvents over HTTP, and what is refused as a whole."""

import gzip
import tracemalloc
from typing import Any

import orjson
import pytest

from billing.api.usage_bodies import BATCH, MAX_BYTES, ONE
from billing.models import UsageEvent
from projects.models import Project
from tests.api.client import Api, nothing_changes
from tests.support import make
from tests.support.usage import an_event

EVENTS = "/apis/usage.milo.io/v1alpha1/events"


@pytest.fixture
def reporter(db: None) -> Api:
    return Api.of(make.a_person("meter", groups=("usage-reporter",)))


def test_a_batch_is_answered_with_what_became_of_each_event(reporter: Api, project: Project) -> None:
    event = an_event(project)
    answer = reporter.post(EVENTS, [event, {}, event, {**event, "type": "x"}], BATCH).done()
    assert answer == {
        "apiVersion": "usage.milo.io/v1alpha1",
        "kind": "UsageReceipt",
        "accepted": 1,
        "duplicates": 1,
        "rejected": 2,
        "late": 0,
        "rejections": [
            {"index": 1, "reason": "FieldValueNotSupported", "field": "specversion", "message": "must be 1.0"},
            {"index": 3, "reason": "Conflict", "field": "id", "message": "is known with other content"},
        ],
    }


@pytest.mark.parametrize("content_type", [ONE, "application/json", f"{ONE}; charset=utf-8"])
def test_a_single_event_is_taken_and_what_is_wrong_with_it_is_a_refusal(
    reporter: Api, project: Project, content_type: str
) -> None:
    event = an_event(project)
    assert reporter.post(EVENTS, event, content_type).done()["accepted"] == 1
    assert reporter.post(EVENTS, event, content_type).done()["duplicates"] == 1
    with nothing_changes():
        negative = an_event(project, "-1")
        answer = reporter.post(EVENTS, negative, content_type)
        answer.refused(422, "Invalid")
        assert answer.causes() == {"data.quantity": "only a correction may be negative"}
    reporter.post(EVENTS, {**event, "type": "x"}, content_type).refused(409, "Conflict")


def test_gzip_is_understood(reporter: Api, project: Project) -> None:
    body = gzip.compress(orjson.dumps([an_event(project)]))
    assert reporter.post(EVENTS, body, BATCH, Content_Encoding="gzip").done()["accepted"] == 1


def test_ten_thousand_events_are_taken_and_more_than_a_mebibyte(reporter: Api, project: Project) -> None:
    events = [an_event(project) for _ in range(10_000)]
    body = orjson.dumps(events)
    assert len(body) > 2 * 1024 * 1024
    assert reporter.post(EVENTS, body, BATCH).done()["accepted"] == 10_000
    assert UsageEvent.objects.count() == 10_000


REFUSED: dict[str, tuple[Any, str, dict[str, str], int]] = {
    "broken JSON": (b'[{"id": ', BATCH, {}, 400),
    "a number that JSON has not": (b"[NaN]", BATCH, {}, 400),
    "no UTF-8": (b'["\xff"]', BATCH, {}, 400),
    "a batch that is no list": ({}, BATCH, {}, 400),
    "nested without end": (b"[" * 100_000, BATCH, {}, 400),
    "YAML": ("a: 1", "application/yaml", {}, 415),
    "text": ("[]", "text/plain", {}, 415),
    "a form": ("a=1", "application/x-www-form-urlencoded", {}, 415),
    "an event in Avro": (b"[]", "application/cloudevents+avro", {}, 415),
    "another compression": (b"x", BATCH, {"Content_Encoding": "br"}, 415),
    "no gzip": (b"[]", BATCH, {"Content_Encoding": "gzip"}, 400),
    "a gzip in a gzip": (gzip.compress(gzip.compress(b"[]")), BATCH, {"Content_Encoding": "gzip"}, 400),
    "half a gzip": (gzip.compress(b"[]")[:-4], BATCH, {"Content_Encoding": "gzip"}, 400),
    "a gzip bomb": (gzip.compress(b" " * (MAX_BYTES + 1)), BATCH, {"Content_Encoding": "gzip"}, 413),
    "more than 10 MiB": (b" " * (MAX_BYTES + 1), BATCH, {}, 413),
    "10,001 events": ([1] * 10_001, BATCH, {}, 413),
}


def test_each_event_of_a_batch_that_is_wrong_is_named_with_why_and_the_others_are_taken(
    reporter: Api, project: Project
) -> None:
    wrong = [
        an_event(project, "-1"),
        an_event(project, "1" * 40),
        an_event("nothing-here"),
        an_event(project, data={"unit": "h"}),
        an_event(project, data={"unit": "GB"}),
    ]
    answer = reporter.post(EVENTS, [an_event(project), *wrong, an_event(project)], BATCH).done()
    assert (answer["accepted"], answer["rejected"]) == (2, 5)
    assert {row["index"]: (row["field"], row["message"]) for row in answer["rejections"]} == {
        1: ("data.quantity", "only a correction may be negative"),
        2: ("data.quantity", "must be a decimal in a string: at most 20 digits, and 12 after the point"),
        3: ("subject", "there is no project nothing-here"),
        4: ("data.unit", "must be s, the unit of this meter since its first event"),
        5: ("data.unit", "GB is not what UCUM calls it: write GBy"),
    }


def test_a_gzip_bomb_is_refused_before_it_is_unpacked(reporter: Api) -> None:
    bomb = gzip.compress(bytes(8 * MAX_BYTES))
    assert len(bomb) < MAX_BYTES / 100
    tracemalloc.start()
    try:
        with nothing_changes():
            reporter.post(EVENTS, bomb, BATCH, Content_Encoding="gzip").refused(413, "RequestEntityTooLarge")
        assert tracemalloc.get_traced_memory()[1] < 4 * MAX_BYTES
    finally:
        tracemalloc.stop()


def test_events_beyond_the_limit_are_counted_once_unpacked(reporter: Api, project: Project) -> None:
    batch = gzip.compress(orjson.dumps([an_event(project) for _ in range(10_001)]))
    with nothing_changes():
        reporter.post(EVENTS, batch, BATCH, Content_Encoding="gzip").refused(413, "RequestEntityTooLarge")


@pytest.mark.parametrize("what", REFUSED)
def test_a_body_that_is_no_batch_is_refused_as_a_whole(reporter: Api, what: str) -> None:
    body, content_type, headers, code = REFUSED[what]
    reasons = {400: "BadRequest", 413: "RequestEntityTooLarge", 415: "UnsupportedMediaType"}
    with nothing_changes():
        reporter.post(EVENTS, body, content_type, **headers).refused(code, reasons[code])


def test_a_dry_run_answers_the_same_and_changes_nothing(reporter: Api, project: Project) -> None:
    with nothing_changes():
        answer = reporter.post(f"{EVENTS}?dryRun=All", [an_event(project), {}], BATCH).done()
    assert (answer["accepted"], answer["rejected"]) == (1, 1)


def test_who_may_not_report_is_told_so_before_the_body_is_read(admin: Api, operator: Api) -> None:
    for api in (admin, operator):
        api.post(EVENTS, b"broken", BATCH).refused(403, "Forbidden")
