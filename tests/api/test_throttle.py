"""A token, and an address that guesses tokens, may ask so much in a minute."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache

from projects.models import Organization
from tests.api.client import ORGANIZATIONS, Api, nothing_changes
from tests.support import make


@pytest.fixture(autouse=True)
def three_a_minute(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.MILO_REQUESTS_PER_MINUTE = 3
    # one window, whenever the test runs
    monkeypatch.setattr("milo.kube.wire.throttle.time.time", lambda: 1_800_000_030.0)
    cache.clear()
    yield
    cache.clear()


def test_a_token_that_asks_too_much_is_told_when_to_come_back(
    admin: Api, viewer: Api, organization: Organization
) -> None:
    for _request in range(3):
        admin.get(ORGANIZATIONS).done()
    with nothing_changes():
        refused = admin.post(ORGANIZATIONS, {})
        refused.refused(429, "TooManyRequests")
    assert refused.headers["Retry-After"] == "30"
    viewer.get(ORGANIZATIONS).done()


SPELLINGS = ("Bearer {}", "bEaReR {}", "BEARER  {}", "bearer   {} ", "bearer {}\t")


@pytest.mark.parametrize("first", SPELLINGS)
def test_a_token_is_one_however_its_header_is_spelled(admin: Api, organization: Organization, first: str) -> None:
    for spelling in (first, *SPELLINGS[:2]):
        Api().get(ORGANIZATIONS, authorization=spelling.format(admin.secret)).done()
    for spelling in SPELLINGS:
        Api().get(ORGANIZATIONS, authorization=spelling.format(admin.secret)).refused(429, "TooManyRequests")


def test_two_tokens_of_one_person_count_apart(organization: Organization) -> None:
    person = make.a_person(roles={organization: "billing-viewer"})
    one, other = Api.of(person), Api.of(person)
    for _request in range(3):
        one.get(ORGANIZATIONS).done()
    one.get(ORGANIZATIONS).refused(429, "TooManyRequests")
    other.get(ORGANIZATIONS).done()


def test_an_address_that_guesses_tokens_is_stopped(admin: Api) -> None:
    for guess in range(3):
        Api(f"milo_{guess}").get(ORGANIZATIONS).refused(401, "Unauthorized")
    Api("milo_4").get(ORGANIZATIONS).refused(429, "TooManyRequests")
    admin.get(ORGANIZATIONS).done()


@pytest.mark.parametrize("headers", [{}, {"impersonate_user": "operator"}], ids=["no token", "impersonation"])
def test_an_address_that_sends_no_token_is_stopped(admin: Api, headers: dict[str, str]) -> None:
    for _request in range(3):
        assert Api().get(ORGANIZATIONS, **headers).code in (401, 403)
    refused = Api().get(ORGANIZATIONS, **headers)
    refused.refused(429, "TooManyRequests")
    assert refused.headers["Retry-After"] == "30"
    admin.get(ORGANIZATIONS).done()


def test_a_header_makes_no_other_address(db: None) -> None:
    for guess in range(3):
        Api(f"milo_{guess}").get(ORGANIZATIONS, x_forwarded_for=f"192.0.2.{guess}").refused(401, "Unauthorized")
    Api("milo_4").get(ORGANIZATIONS, x_forwarded_for="192.0.2.4").refused(429, "TooManyRequests")


def test_many_other_callers_do_not_make_a_count_forgotten(admin: Api) -> None:
    for _request in range(3):
        admin.get(ORGANIZATIONS).done()
    for number in range(2000):
        cache.add(f"requests:another-{number}:30000000", 1, 60)
    admin.get(ORGANIZATIONS).refused(429, "TooManyRequests")


def test_no_bound_is_set_by_zero(admin: Api, settings: Any) -> None:
    settings.MILO_REQUESTS_PER_MINUTE = 0
    for _request in range(5):
        admin.get(ORGANIZATIONS).done()
