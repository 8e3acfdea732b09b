"""The frame of the site: its address, the name of the installation, and pages of errors that lead back."""

from typing import Any

import pytest
from django.http import HttpRequest
from django.test import Client
from django.utils import translation

from milo import bare_pages
from milo.admin.site import environment
from milo.kube.wire.status import server_error
from tests.admin.browser import page_of, staff
from tests.admin.conftest import World
from tests.support import make

pytestmark = pytest.mark.once

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def said(answer: Any, status: int, *texts: str) -> None:
    """Check an error page: its status, what it says, that it runs no script and leads back."""
    page = answer.content.decode()
    assert answer.status_code == status
    assert answer.headers["Content-Security-Policy"] == bare_pages.POLICY
    assert "<script" not in page
    assert "style=" not in page
    for text in texts:
        assert text in page


def test_the_address_of_the_host_leads_to_the_site(client: Client) -> None:
    assert client.get("/").headers["Location"] == "/admin/"
    assert client.post("/").status_code == 405


def test_with_a_host_of_its_own_each_address_leads_to_what_the_host_serves(client: Client, settings: Any) -> None:
    settings.MILO_STAFF_HOST = "staff.example.org"
    settings.ALLOWED_HOSTS = ["staff.example.org", "api.example.org"]
    for host, address in (
        ("staff.example.org", "/admin/"),
        ("staff.example.org:8443", "/admin/"),
        ("api.example.org", "/apis"),
    ):
        assert client.get("/", headers={"Host": host}).headers["Location"] == address
    page = client.get("/apis", headers={"Host": "api.example.org", **BROWSER}).content.decode()
    assert "/apis/docs" in page
    assert "/admin/" not in page


@pytest.mark.django_db
def test_who_logs_in_without_a_wanted_page_reaches_the_overview(client: Client) -> None:
    person = make.a_person("operator", groups=("finance-operator",), is_staff=True)
    person.set_password("correct horse battery")
    person.save()
    answer = client.post("/admin/login/", {"username": "operator", "password": "correct horse battery"})
    assert answer.headers["Location"] == "/admin/"


@pytest.mark.parametrize(("name", "kind"), [("production", "danger"), ("Staging EU", "warning")])
def test_every_page_names_the_installation(name: str, kind: str, settings: Any, world: World, operator: Client) -> None:
    settings.MILO_ENVIRONMENT = name
    for page in (operator.get(page_of(world.us)), Client().get("/admin/login/")):
        assert page.context["environment"] == [name, kind]
        text = page.content.decode()
        assert f"[{name}]" in text.split("</title>")[0]
        assert name in text.split("</title>")[1]
    settings.MILO_ENVIRONMENT = ""
    assert environment(HttpRequest()) is None


@pytest.mark.django_db
def test_what_is_not_found_says_so_and_leads_back(world: World, operator: Client) -> None:
    said(operator.get("/admin/nothing/"), 404, "There is nothing at this address", 'href="/admin/"')
    said(operator.get("/nothing"), 404, 'href="/admin/"', 'href="/apis/docs"')


def test_what_is_not_permitted_says_who_is_logged_in(world: World, auditor: Client) -> None:
    said(
        auditor.get(page_of(world.us, "suspend")),
        403,
        "Your roles do not permit this",
        "logged in as auditor",
        'href="/admin/"',
    )


@pytest.mark.django_db
def test_a_form_without_a_token_says_why_and_leads_back() -> None:
    client = Client(enforce_csrf_checks=True)
    said(client.post("/admin/login/"), 403, "The form was not accepted", 'href="/admin/login/"')


def test_a_host_that_is_not_served_says_so(client: Client) -> None:
    said(client.get("/nothing", headers={"Host": "evil.example"}), 400, "does not serve this host")


def test_an_error_of_the_server_names_the_request_by_which_it_is_found() -> None:
    request = HttpRequest()
    request.path = "/admin/"
    said(server_error(request), 500, "request id", 'href="/admin/"')


def test_errors_are_german_where_the_person_reads_german(client: Client) -> None:
    # what a request activates stays active in the thread
    with translation.override("en"):
        page = client.get("/nothing", headers={"Accept-Language": "de"}).content.decode()
    assert '<html lang="de"' in page
    assert "Nicht gefunden" in page


@pytest.mark.django_db
def test_the_api_tells_a_browser_what_it_is_and_everything_else_as_before(client: Client) -> None:
    page = client.get("/apis", headers=BROWSER)
    said(page, 200, "Programs read this address", 'href="/apis/docs"', 'href="/admin/"')
    assert {"Accept", "Authorization"} <= set(page.headers["Vary"].split(", "))
    for accept in ("*/*", "application/json", "", "application/json, text/html;q=0.5"):
        assert client.get("/apis", headers={"Accept": accept}).json()["kind"] == "Status"
    assert client.get("/apis", headers={**BROWSER, "Authorization": "Bearer none"}).status_code == 401
    assert client.post("/apis", headers=BROWSER).status_code in (401, 405)


@pytest.mark.django_db
def test_a_page_in_a_browser_is_no_way_around_a_role() -> None:
    assert staff().get("/apis/billing.milo.io/v1alpha1/billingaccounts", headers=BROWSER).status_code == 401


def test_the_side_bar_marks_the_page_and_no_other(world: World, auditor: Client) -> None:
    for path, marked in (
        ("/admin/", ["Overview"]),
        ("/admin/identity/login/", ["Log-ins"]),
        ("/admin/identity/login/ledger/", ["Ledger"]),
        (page_of(world.us), ["Billing accounts"]),
        ("/admin/sessions/", []),
    ):
        groups = auditor.get(path).context["sidebar_navigation"]
        assert [item["title"] for group in groups for item in group["items"] if item["active"]] == marked, path
