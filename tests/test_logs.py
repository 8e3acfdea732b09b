"""What the log keeps of an error: one traceback with the id of the request, and no local variable."""

import asyncio
import os
import subprocess
import sys
from typing import Any, NoReturn

import httpx
import pytest
import rich
from django.conf import settings
from django.db import IntegrityError
from django.test import Client

from billing import tasks
from milo.admin.site import StaffSite
from milo.asgi import application
from milo.celery import app
from milo.handler import OneHopHandler
from milo.kube.views import KubeView
from milo.logs import without_card_numbers
from tests.api.client import Api
from tests.support import make

TOKEN, HASH = "milo_dGhpcyBpcyBub3QgYSB0b2tlbg", "pbkdf2_sha256$1000000$c2FsdA$aGFzaA"
ACCOUNT = "/apis/billing.milo.io/v1alpha1/namespaces/acme-corp/billingaccounts/us"
assert rich, "with it, structlog would write local variables"
assert app, "with it, tasks have ids"


def breaks(*_arguments: Any, **_options: Any) -> NoReturn:
    token, password = TOKEN, {"hash": HASH}
    raise RuntimeError(f"broken with {len(token)} and {len(password)}")


def expect_one_traceback(logged: str, request_id: str) -> None:
    assert logged.count("Traceback (most recent call last)") == 1, logged
    assert logged.count("RuntimeError: broken with") == 1
    assert TOKEN not in logged
    assert HASH not in logged
    [line] = [line for line in logged.splitlines() if f"request_id={request_id}" in line and "[error" in line]
    assert line


@pytest.mark.django_db
def test_an_error_of_the_api(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    organization = make.an_organization("acme-corp")
    client = Api.of(make.a_person(roles={organization: "billing-viewer"}))
    monkeypatch.setattr(KubeView, "manifest", breaks)
    answer = client.get(ACCOUNT, X_Request_ID="r-1")
    assert answer.headers["X-Request-ID"] == "client:r-1"
    assert "client:r-1" in answer.refused(500, "InternalError")["message"]
    expect_one_traceback(capsys.readouterr().err, "client:r-1")


@pytest.mark.django_db
def test_an_error_of_the_staff_site(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(make.a_person(is_staff=True, is_superuser=True))
    monkeypatch.setattr(StaffSite, "attention", breaks)
    answer = client.get("/admin/")
    assert answer.status_code == 500
    assert answer.headers["X-Request-ID"] in answer.content.decode()
    expect_one_traceback(capsys.readouterr().err, answer.headers["X-Request-ID"])


def test_an_error_of_a_task(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("billing.tasks.accounts.validate_waiting", breaks)
    done = tasks.validate_waiting_accounts.apply(task_id="t-1", throw=False)
    assert isinstance(done.result, RuntimeError)
    expect_one_traceback(capsys.readouterr().err, "task:t-1")


def test_an_error_of_a_command() -> None:
    code = (
        "from unittest import mock; from tests.test_logs import breaks; import django.core.management as management\n"
        "with mock.patch('milo.management.commands.access_table.Command.handle', breaks):\n"
        "    management.execute_from_command_line(['manage.py', 'access_table'])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=settings.BASE_DIR,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stderr.count("Traceback (most recent call last)") == 1
    assert TOKEN not in ran.stderr
    assert HASH not in ran.stderr


def test_an_error_of_the_server_itself(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(OneHopHandler, "_respond", breaks)

    async def ask() -> httpx.Response:
        served: Any = application
        async with httpx.AsyncClient(transport=httpx.ASGITransport(served), base_url="http://127.0.0.1") as client:
            return await client.get("/apis", headers={"X-Request-ID": "r-2"})

    answer = asyncio.run(ask())
    assert (answer.status_code, answer.headers["X-Request-ID"]) == (500, "client:r-2")
    assert answer.json()["reason"] == "InternalError"
    expect_one_traceback(capsys.readouterr().err, "client:r-2")


@pytest.mark.django_db
def test_the_row_that_broke_a_constraint_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def row(*_arguments: Any, **_options: Any) -> NoReturn:
        raise IntegrityError(f"violates a constraint\nDETAIL:  Failing row contains (7,\n{HASH}, {TOKEN}).\n")

    client = Client(raise_request_exception=False)
    client.force_login(make.a_person(is_staff=True, is_superuser=True))
    monkeypatch.setattr(StaffSite, "attention", row)
    assert client.get("/admin/").status_code == 500
    logged = capsys.readouterr().err
    assert "DETAIL: (left out)" in logged
    assert HASH not in logged
    assert TOKEN not in logged


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/version?token=secret", "GET /version 200"),
        ("/nowhere/4111111111111111?x=1", "GET - 404"),
        ("/apis/billing.milo.io/v1alpha1/billingaccounts/4111111111111111", "GET -"),
        (ACCOUNT.replace("us", "4111111111111111"), "GET apis/billing.milo.io"),
    ],
)
def test_the_line_of_a_request_has_the_path_where_it_is_ours_and_never_the_query(
    path: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Client().get(path)
    logged = capsys.readouterr().err
    assert line in logged
    assert "4111" not in logged
    assert "secret" not in logged
    assert "?" not in logged


def test_a_card_number_in_a_line_is_masked_and_the_rest_of_the_line_stays() -> None:
    line = "Task pay[5ba77aa7-34ba-45f3-b600-13797e784e99] at 10:30: 4111 1111 1111 1111"
    assert without_card_numbers(None, "", {"event": line})["event"] == f"{line[:-19]}**** **** **** ****"
    # a duration may look like one, and so may the digits of an id, by which a task is found in the log
    done = "Task 00000000-0000-4000-8000-00000000000a succeeded in "
    logged = without_card_numbers(None, "", {"event": f"{done}0.081571761535672378s: 3"})["event"]
    assert logged == f"{done}*.******************s: 3"
