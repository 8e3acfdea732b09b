"""`?at=` and `?asKnownAt=`, an account as of an instant, its projects then, and its history."""

import csv
import uuid
from datetime import datetime, timedelta

import pytest
from pytest_django.fixtures import Settings

from billing.models import BillingAccount
from billing.services.approvals.requests import withdraw
from projects.models import Organization
from tests.api.client import BILLING, PROJECTS, Api
from tests.support import make

US = f"{BILLING}/namespaces/acme-corp/billingaccounts/us"
pytestmark = pytest.mark.django_db


@pytest.fixture
def handover(organization: Organization) -> str:
    """The instant at which eu took over from us, as the API tells it."""
    project = make.a_project(organization, "webapp")
    make.a_binding(project, make.a_ready_account(organization, "us"), "first")
    second = make.a_binding(project, make.a_ready_account(organization, "eu"), "second")
    return second.established_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_who_paid_is_told_as_it_was_known(admin: Api, handover: str) -> None:
    path = f"{PROJECTS}/webapp/billinghistory?at={handover}"
    before = datetime.fromisoformat(handover) - timedelta(microseconds=1)
    (item,) = admin.get(path).done()["items"]
    assert item["account"] == "eu"
    (item,) = admin.get(f"{path}&asKnownAt={before:%Y-%m-%dT%H:%M:%S.%fZ}").done()["items"]
    assert (item["binding"], item["phase"]) == ("first", "Active")
    assert "endedAt" not in item
    assert "supersededBy" not in item
    admin.get(f"{PROJECTS}/webapp/billinghistory?asKnownAt={handover}").refused(422, "Invalid")


@pytest.mark.once
def test_an_instant_of_long_ago_has_a_year_of_four_digits(admin: Api, handover: str) -> None:
    answer = admin.get(f"{US}/projects?at=0151-11-24T00:00:00Z").done()
    assert answer == {"at": "0151-11-24T00:00:00.000000Z", "items": []}


def test_an_account_is_told_as_of_an_instant(admin: Api, handover: str) -> None:
    then = admin.get(f"{US}/asof?at={handover}").done()
    assert then["spec"]["paymentTerms"]["netDays"] == 30
    assert then["status"]["phase"] == "Ready"
    admin.get(f"{US}/asof?at=2000-01-01T00:00:00Z").refused(404, "NotFound")
    assert admin.get(f"{US}/projects").done()["items"] == []
    (item,) = admin.get(f"{BILLING}/namespaces/acme-corp/billingaccounts/eu/projects").done()["items"]
    assert item == {"project": "webapp", "binding": "second", "establishedAt": handover}


def test_the_history_of_an_account_names_the_request_that_changed_it(admin: Api, handover: str) -> None:
    patch = {"metadata": {"labels": {"tier": "gold"}}}
    answer = admin.patch(US, patch, X_Request_ID="request-17")
    assert answer.headers["X-Request-ID"] == "client:request-17"
    newest = admin.get(f"{US}/history").done()["items"][0]
    assert newest["requestID"] == "client:request-17"
    assert newest["changes"] == [{"field": "labels", "before": {}, "after": {"tier": "gold"}}]
    table = admin.get(f"{US}/history", Accept="text/csv").raw.decode()
    assert (
        table.splitlines()[0]
        == "at,kind,name,reason,message,actor,requestID,credential,credentialMaker,approval,changes"
    )
    assert "request-17" in table.splitlines()[1]


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1", "-1+cmd", "@SUM(1)"])
def test_a_text_that_a_spreadsheet_would_take_for_a_formula_is_led_by_an_apostrophe(
    admin: Api, organization: Organization, handover: str, text: str
) -> None:
    request = make.a_request(BillingAccount.objects.get(name="us"), "Close")
    withdraw(request.pk, comment=text, actor=make.REQUESTER)
    newest = next(csv.DictReader(admin.get(f"{US}/history", Accept="text/csv").raw.decode().splitlines()))
    assert newest["message"] == f"'{text}"


@pytest.mark.parametrize("forged", ["x y" * 40, "a" * 58, "4111-1111-1111-1111", "card:4111111111111111"])
def test_a_request_id_that_is_no_id_is_replaced(admin: Api, forged: str) -> None:
    named = admin.get(PROJECTS, X_Request_ID=forged).headers["X-Request-ID"]
    assert str(uuid.UUID(named)) == named


def test_a_client_cannot_pass_for_a_background_task(admin: Api) -> None:
    named = admin.get(PROJECTS, X_Request_ID=f"task:{uuid.uuid4()}").headers["X-Request-ID"]
    assert named.startswith("client:task:")


def test_the_history_of_an_account_comes_in_pages_and_as_csv_whole(
    admin: Api, handover: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = BillingAccount.objects.get(name="us")
    make.delivered_at_once(account, 9)
    whole = admin.get(f"{US}/history").done()
    assert "metadata" not in whole
    items, following = [], ""
    while True:
        page = admin.get(f"{US}/history?limit=2{following}").done()
        items += page["items"]
        if "metadata" not in page:
            break
        assert len(page["items"]) == 2
        following = f"&continue={page['metadata']['continue']}"
    assert items == whole["items"]
    monkeypatch.setattr("billing.api.past.AT_MOST", 4)
    for query in ("", "?limit=2"):
        rows = list(csv.DictReader(admin.get(f"{US}/history{query}", Accept="text/csv").raw.decode().splitlines()))
        assert [(row["at"], row["name"]) for row in rows] == [(item["at"], item["name"]) for item in items]


def test_a_page_of_a_key_that_is_gone_has_expired(admin: Api, handover: str, settings: Settings) -> None:
    token = admin.get(f"{US}/history?limit=1").done()["metadata"]["continue"]
    settings.SECRET_KEY = "another"
    admin.get(f"{US}/history?limit=1&continue={token}").refused(410, "Expired")


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "limit=1&limit=2", "continue=x", "continue=", "before=yesterday"]
)
def test_a_page_that_there_is_not_is_refused(admin: Api, handover: str, query: str) -> None:
    admin.get(f"{US}/history?{query}").refused(422, "Invalid")
