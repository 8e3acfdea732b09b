"""What the log keeps of an error: one traceback with the id of the request, and no local variable."""

import ast
import asyncio
import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest
import rich
import structlog
from django.conf import settings
from django.db import IntegrityError
from django.test import Client

from billing import tasks
from milo import logs
from milo.admin.site import StaffSite
from milo.asgi import application
from milo.celery import app
from milo.handler import OneHopHandler
from milo.kube.views import KubeView
from milo.logs import masked
from milo.settings.environment import MARKER
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
    assert "IntegrityError: violates a constraint\n" in logged
    assert HASH not in logged
    assert TOKEN not in logged


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/version?token=secret", {"route": "/version", "status": 200, "outcome": "success"}),
        ("/nowhere/4111111111111111?x=1", {"route": "-", "status": 404, "outcome": "refused"}),
        ("/apis/billing.milo.io/v1alpha1/billingaccounts/4111111111111111", {"route": "-", "status": 404}),
        (ACCOUNT.replace("us", "4111111111111111"), {"resource": "billingaccounts", "action": "get", "status": 401}),
    ],
)
def test_the_line_of_a_request_has_the_route_and_neither_path_nor_query(
    path: str, line: dict[str, Any], capsys: pytest.CaptureFixture[str], json_lines: None
) -> None:
    Client().get(path)
    logged = capsys.readouterr().err
    [written] = map(json.loads, logged.splitlines())
    assert written | line == written
    assert written["method"] == "GET"
    assert written["duration_seconds"] > 0
    assert "4111" not in logged
    assert "secret" not in logged
    assert "?" not in logged


def test_a_card_number_in_a_line_is_masked_and_the_rest_of_the_line_stays() -> None:
    line = "Task pay[5ba77aa7-34ba-45f3-b600-13797e784e99] at 10:30: 4111 1111 1111 1111"
    assert masked(line) == f"{line[:-19]}**** **** **** ****"
    # a duration may look like one, and so may the digits of an id, by which a task is found in the log
    done = "Task 00000000-0000-4000-8000-00000000000a succeeded in "
    assert masked(f"{done}0.081571761535672378s: 3") == f"{done}*.******************s: 3"


@pytest.mark.parametrize(
    ("text", "logged"),
    [
        ("mail to jane.o'neill+invoices@acme-corp.example failed", "mail to *** failed"),
        ('"Jane O" <jane@acme-corp.example>', '"Jane O" <***>'),
        ('"jane o"@acme-corp.example was refused', "*** was refused"),
        ("jane@[192.0.2.1]", "***"),
        ("jané@bücher.example", "***"),
        ("celery@worker-1 ready", "celery@worker-1 ready"),
        ("postgresql://milo:secret@db.example/milo is away", "postgresql://***@db.example/milo is away"),
        ("GET https://id.example/authorize?code=secret failed", "GET https://id.example/authorize?*** failed"),
    ],
)
def test_addresses_queries_and_credentials_are_masked_in_any_text(text: str, logged: str) -> None:
    assert masked(text) == logged


@pytest.mark.parametrize("value", ["lone \ud800 surrogate", 2**70, object(), {"a": [1]}, b"\xff", None, float("nan")])
def test_a_line_of_any_value_is_one_json_object(
    value: Any, capsys: pytest.CaptureFixture[str], json_lines: None
) -> None:
    structlog.get_logger("any").warning("event\nof two lines", value=value)
    [line] = capsys.readouterr().err.splitlines()
    assert json.loads(line)["event"] == "event\nof two lines"


def test_an_argument_of_the_standard_library_that_is_an_error_is_described(
    capsys: pytest.CaptureFixture[str], json_lines: None
) -> None:
    log = logging.getLogger("foreign")
    log.error("failed: %s", ValueError("no date: 'of Jane'"))
    log.error("failed: %(error)s", {"error": ValueError("no date: 'of Jane'")})
    log.error(ValueError("no date: 'of Jane'"))
    lines = list(map(json.loads, capsys.readouterr().err.splitlines()))
    assert [line["event"] for line in lines] == [
        "failed: ValueError: no date (left out)",
        "failed: ValueError: no date (left out)",
        "ValueError: no date (left out)",
    ]
    assert {line["logger"] for line in lines} == {"foreign"}


@pytest.mark.parametrize(
    ("setting", "made_by_up", "debug", "form"),
    [
        (None, False, False, "json"),
        (None, True, False, "console"),
        (None, False, True, "console"),
        ("json", True, True, "json"),
        ("console", False, False, "console"),
    ],
)
def test_lines_are_json_outside_development_unless_the_setting_says_so(
    setting: str | None,
    made_by_up: bool,
    debug: bool,
    form: str,
    tmp_path: Path,
    settings: Any,
    json_lines: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if made_by_up:
        (tmp_path / MARKER).touch()
    settings.DATA_DIR, settings.DEBUG, settings.MILO_LOG_FORMAT = tmp_path, debug, setting
    logs.configure(settings.LOGGING)
    structlog.get_logger().warning("one", n=1)
    line = capsys.readouterr().err.strip()
    if form == "json":
        assert json.loads(line)["n"] == 1
    else:
        assert line.endswith("one n=1")


def test_no_event_is_given_the_text_of_an_error() -> None:
    """An error as it is, is described by milo/error_texts.py; its text may repeat a row."""
    wrong = [
        f"{path}: {ast.unparse(call)}"
        for package in ("milo", "billing", "projects")
        for path in (settings.BASE_DIR / package).rglob("*.py")
        if "structlog" in (source := path.read_text())
        for call in ast.walk(ast.parse(source))
        if isinstance(call, ast.Call) and ast.unparse(call.func).startswith("log.")
        if re.search(r"(str|repr)\((error|refusal|exc|why)\b|\{(error|refusal|exc)\b", ast.unparse(call))
    ]
    assert wrong == []
