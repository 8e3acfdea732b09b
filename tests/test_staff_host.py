"""The staff site on a host of its own (MILO_STAFF_HOST)."""

from typing import Any

import pytest
from django.test import Client

from tests.support import make

STAFF, API = "staff.example.org", "api.example.org"
SITE = ["/admin/", "/admin/login/", "/admin/billing/billingaccount/", "/admin/nothing/"]
OF_API = ["/apis", "/api/v1", "/apis/billing.milo.io/v1alpha1/billingaccounts", "/openapi/v3", "/version", "/nothing"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def apart(settings: Any) -> None:
    settings.ALLOWED_HOSTS, settings.MILO_STAFF_HOST = [STAFF, API], STAFF


def status(path: str, host: str, **headers: str) -> int:
    return Client(headers={"host": host, **headers}).get(path).status_code


@pytest.mark.parametrize("path", SITE)
def test_the_staff_site_is_at_its_host_only(apart: None, path: str) -> None:
    for host in (API, f"{API}:8000"):
        assert status(path, host) == 404
    elsewhere = Client(headers={"host": API}).get(path)
    assert not elsewhere.cookies
    for host in (STAFF, f"{STAFF}:8443", STAFF.upper()):
        assert status(path, host) in (200, 302)


def test_nobody_logs_in_at_another_host(apart: None) -> None:
    make.a_person("operator", groups=("finance-operator",), is_staff=True)
    given = {"username": "operator", "password": "correct horse battery"}
    refused, admitted = (Client(headers={"host": host}).post("/admin/login/", given) for host in (API, STAFF))
    assert refused.status_code == 404
    assert not refused.cookies
    assert admitted.status_code in (200, 302)


@pytest.mark.parametrize("path", OF_API)
def test_the_api_is_at_the_other_hosts_only(apart: None, path: str) -> None:
    _row, token = make.a_token(make.a_person("auditor", groups=("auditor",)))
    bearer = {"authorization": f"Bearer {token}"}
    assert status(path, STAFF, **bearer) == 404
    assert status(path, API, **bearer) == (404 if path == "/nothing" else 200)


def test_a_host_that_is_not_allowed_is_refused_as_before(apart: None) -> None:
    assert [status(path, "evil.example") for path in ("/admin/", "/apis")] == [400, 400]


def test_static_files_are_at_every_host(apart: None) -> None:
    assert [status("/static/milo/favicon.svg", host) for host in (STAFF, API)] == [200, 200]


def test_without_the_setting_every_host_serves_both(settings: Any) -> None:
    settings.ALLOWED_HOSTS = [STAFF, API]
    assert [status("/admin/login/", host) for host in (STAFF, API)] == [200, 200]
    assert [status("/version", host) for host in (STAFF, API)] == [200, 200]
