"""Idempotency-Key of every POST: a client that lost the answer asks again, and what it asked for has happened once."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from threading import Event
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from billing.models import BillingAccount, Notice, Suspension
from milo import audit
from milo.kube.models import Change, RecordedResponse
from milo.kube.store import responses
from milo.kube.tasks import forget_responses
from projects.models import Organization
from projects.services.memberships import revoke
from tests.api.access_matrix import NOBODY, OPERATOR, ORGANIZATION_ROLES, ROUTES, Case
from tests.api.client import ACCOUNTS, ORGANIZATIONS, Answer, Api, nothing_changes
from tests.api.test_authorization_matrix import OWN, body_of, populate, possible
from tests.support import make
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db
POSTS = {route: cases["POST"] for route, cases in ROUTES.items() if "POST" in cases}
REVIEWS = {route for route in POSTS if "reviews" in route}
SUSPEND = {"spec": {"reasonCode": "ManualReview", "message": "under review"}}
UNFINISHED = {"X-Request-ID", "Date"}


def suspend(api: Api, key: str, body: Any = SUSPEND, query: str = "", **headers: str) -> Answer:
    return api.post(f"{ACCOUNTS}/us/suspend{query}", body, idempotency_key=key, **headers)


def headers_of(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in UNFINISHED}


def api_of(case: Case, operator: User, organization: Any) -> Api:
    if OPERATOR in case.who:
        return Api.of(operator)
    role = min(case.who)
    inside = role in ORGANIZATION_ROLES
    return Api.of(make.a_person(roles={organization: role}) if inside else make.a_person(groups=(role,)))


@pytest.mark.parametrize("route", POSTS)
def test_every_post_is_done_once_and_answered_alike(route: str) -> None:
    make.a_person(NOBODY)
    operator = make.a_person(OPERATOR, groups=(OPERATOR,))
    organization = populate(OWN, operator)
    case, path = possible(route, operator, organization)
    api, key = api_of(case, operator, organization), str(uuid4())
    body = body_of(path, case, OWN)
    for malformed in ("", "x" * 256, "schlüssel", "a,b"):
        with nothing_changes():
            api.post(path, body, idempotency_key=malformed).refused(400, "BadRequest")
    first = api.post(path, body, idempotency_key=key)
    assert first.code == case.code, first.raw
    assert "Idempotency-Replayed" not in first.headers
    with nothing_changes():
        again = api.post(path, body, idempotency_key=f'"{key}"')
        if route in REVIEWS:
            assert (again.code, RecordedResponse.objects.count()) == (first.code, 0)
            return
        assert (again.code, again.raw) == (first.code, first.raw)
        assert headers_of(again) == headers_of(first) | {"Idempotency-Replayed": "true"}
        other = {**body, "metadata": {"labels": {"other": "body"}}} if isinstance(body, dict) else [{}]
        refusal = api.post(path, other, idempotency_key=key).refused(422, "Invalid")
        assert [cause["field"] for cause in refusal["details"]["causes"]] == ["Idempotency-Key"]
        api.post(f"{path}?pretty=true", body, idempotency_key=key).refused(422, "Invalid")


def test_a_suspension_whose_answer_was_lost_is_one_and_everybody_is_told_once(
    operator: Api, account: BillingAccount
) -> None:
    seen = operator.get(f"{ACCOUNTS}/us").headers["ETag"]
    first = suspend(operator, "lost", if_match=seen)
    told = Notice.objects.count()
    # If-Match named what the first has changed by now
    assert suspend(operator, "lost", if_match=seen).raw == first.raw
    assert (Suspension.objects.count(), Notice.objects.count()) == (1, told)
    suspend(operator, "another").done()
    assert Suspension.objects.count() == 2
    assert suspend(operator, "lost").raw == first.raw
    # the answer shows the revision that the first made, whatever came after it
    assert suspend(operator, "lost").version == first.version != operator.get(f"{ACCOUNTS}/us").version


def test_a_name_that_is_generated_is_generated_once(operator: Api) -> None:
    body = {"apiVersion": "resources.milo.io/v1alpha1", "kind": "Organization", "metadata": {"generateName": "corp-"}}
    names = {
        operator.post(ORGANIZATIONS, body, idempotency_key="one").done(201)["metadata"]["name"] for _time in range(2)
    }
    assert Organization.objects.filter(name__startswith="corp-").count() == len(names) == 1


def test_a_refusal_is_not_kept_and_the_same_request_can_succeed_later(
    operator: Api, organization: Organization
) -> None:
    with nothing_changes():
        suspend(operator, "early").refused(404, "NotFound")
    make.a_ready_account(organization, "us")
    with nothing_changes():
        suspend(operator, "early", {"spec": {"reasonCode": "nonsense"}}).refused(422, "Invalid")
    assert not RecordedResponse.objects.exists()
    assert "Idempotency-Replayed" not in suspend(operator, "early").headers


def test_a_repeated_answer_has_the_form_of_the_first_and_says_so(operator: Api, account: BillingAccount) -> None:
    forms = ["application/json", "application/yaml"]
    for first, second in (forms, reversed(forms)):
        shown = suspend(operator, first, accept=first)
        again = suspend(operator, first, accept=second)
        assert (again.raw, again.headers["Content-Type"]) == (shown.raw, first)
        assert again.headers["Idempotency-Replayed"] == "true"
    assert Suspension.objects.count() == 2


def test_a_dry_run_uses_no_key_up(operator: Api, account: BillingAccount) -> None:
    with nothing_changes():
        suspend(operator, "dry", query="?dryRun=All").done()
    assert "Idempotency-Replayed" not in suspend(operator, "dry").headers
    assert Suspension.objects.count() == 1


def test_a_key_is_of_one_actor_and_one_address(
    operator: Api, account: BillingAccount, organization: Organization
) -> None:
    make.a_ready_account(organization, "eu")
    first = suspend(operator, "shared")
    other = Api.of(make.a_person(groups=(OPERATOR,)))
    assert suspend(other, "shared").raw != first.raw
    elsewhere = operator.post(f"{ACCOUNTS}/eu/suspend", SUSPEND, idempotency_key="shared")
    assert elsewhere.done()["metadata"]["name"] == "eu"
    assert Suspension.objects.count() == 3


def test_who_lost_the_right_to_read_it_is_not_answered_with_it(organization: Organization) -> None:
    person = make.a_person(roles={organization: "billing-admin"})
    api = Api.of(person)
    body = {
        "apiVersion": "resources.milo.io/v1alpha1",
        "kind": "Project",
        "metadata": {"name": "web"},
        "spec": {"organizationRef": {"name": "acme-corp"}},
    }
    path = "/apis/resources.milo.io/v1alpha1/projects"
    api.post(path, body, idempotency_key="k").done(201)
    revoke(organization, person, "billing-admin", why="has left", allow_no_billing_admin=True, actor=make.PLATFORM)
    with nothing_changes():
        api.post(path, body, idempotency_key="k").refused(404, "NotFound")


def test_after_24_hours_the_key_is_new_and_the_answer_forgotten(
    operator: Api, account: BillingAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    suspend(operator, "old")
    suspend(operator, "unused")
    assert forget_responses() == 0
    tomorrow = timezone.now() + timedelta(hours=24)
    monkeypatch.setattr(timezone, "now", lambda: tomorrow)
    assert "Idempotency-Replayed" not in suspend(operator, "old").headers
    assert RecordedResponse.objects.count() == 2
    assert forget_responses() == 1
    assert suspend(operator, "old").headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize("moment", ["before the effect", "after the effect", "after the record"])
def test_what_breaks_on_the_way_leaves_neither_effect_nor_record(
    operator: Api, account: BillingAccount, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def broken(*_given: Any, **_named: Any) -> Any:
        raise RuntimeError(moment)

    def recorded(*given: Any, **named: Any) -> None:
        record(*given, **named)
        broken()

    record = responses.record
    with monkeypatch.context() as patched, nothing_changes():
        if moment == "before the effect":
            patched.setattr(responses, "find", broken)
        elif moment == "after the effect":
            patched.setattr(responses, "record", broken)
        else:
            patched.setattr(responses, "record", recorded)
        suspend(operator, "broken").refused(500, "InternalError")
    assert not RecordedResponse.objects.exists()
    assert "Idempotency-Replayed" not in suspend(operator, "broken").headers
    assert Suspension.objects.count() == 1


class OfAnotherProcess(set[str]):
    """The requests of a process, of which this one knows nothing."""

    def add(self, digest: str) -> None:
        pass


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Event, Event]]:
    """A suspension that says when it is under way, and goes on when it is told."""
    under_way, go_on = Event(), Event()
    save_as = audit.save_as

    def waiting(*given: Any, **named: Any) -> Any:
        under_way.set()
        assert go_on.wait(30)
        return save_as(*given, **named)

    monkeypatch.setattr(audit, "save_as", waiting)
    yield under_way, go_on
    go_on.set()


@pytest.mark.django_db(transaction=True)
# writers of SQLite wait for each other, whatever process they are of
@pytest.mark.parametrize("same_process", [True, False] if connection.vendor == "postgresql" else [True])
def test_while_the_first_is_under_way_the_second_is_asked_to_come_back(
    operator: Api, account: BillingAccount, slow: tuple[Event, Event], same_process: bool, monkeypatch: Any
) -> None:
    under_way, go_on = slow
    if not same_process:
        monkeypatch.setattr(responses, "_at_work", OfAnotherProcess())

    def second() -> Answer:
        assert under_way.wait(30)
        try:
            return suspend(operator, "twice")
        finally:
            go_on.set()

    both: list[Callable[[], Answer]] = [partial(suspend, operator, "twice"), second]
    first, refused = at_once(both)
    assert isinstance(first, Answer)
    assert isinstance(refused, Answer)
    first.done()
    status = refused.refused(409, "Conflict")
    assert refused.headers["Retry-After"] == "1"
    assert status["details"]["retryAfterSeconds"] == 1
    assert suspend(operator, "twice").raw == first.raw
    assert Suspension.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_is_done_and_its_revisions_have_no_gap(operator: Api, account: BillingAccount) -> None:
    answers = at_once([partial(suspend, operator, "many")] * 8)
    codes = {answer.code for answer in answers if isinstance(answer, Answer)}
    assert codes <= {200, 409}
    assert suspend(operator, "many").done()
    assert Suspension.objects.count() == 1
    numbers = list(Change.objects.order_by("pk").values_list("pk", flat=True))
    assert numbers == list(range(1, len(numbers) + 1))
