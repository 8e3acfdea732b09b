"""Errors that are no fault of a request: the database is away, a lock is not had, a statement takes too long."""

import re
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import (
    DEFAULT_DB_ALIAS,
    DatabaseError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    connection,
    connections,
    transaction,
)
from django.test import Client

from milo import error_texts, outages
from milo.kube.wire import status
from milo.settings.databases import timeouts
from projects.models import Project
from tests.support import make
from tests.support.threads import at_once

PATHS = ("/apis/resources.milo.io/v1alpha1/projects", "/api/v1/namespaces", "/admin/", "/admin/login/")


def of_driver(driver: Exception, error: type[Exception] = OperationalError) -> Exception:
    """The error that Django raises of the driver's."""
    made = error(str(driver))
    made.__cause__ = driver
    return made


def of_sqlite(code: int) -> Exception:
    driver = sqlite3.OperationalError("a fault")
    driver.sqlite_errorcode = code
    return of_driver(driver)


def of_postgresql(code: str) -> Exception:
    return of_driver(psycopg.errors.lookup(code)("a fault"))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (of_driver(psycopg.OperationalError("connection refused")), "ServiceUnavailable"),
        (of_driver(psycopg.InterfaceError("the connection is closed"), InterfaceError), "ServiceUnavailable"),
        (InterfaceError("connection already closed"), "ServiceUnavailable"),
        (of_postgresql("57P01"), "ServiceUnavailable"),
        (of_postgresql("57P03"), "ServiceUnavailable"),
        (of_postgresql("53300"), "ServiceUnavailable"),
        (of_postgresql("53100"), "ServiceUnavailable"),
        (of_postgresql("25006"), "ServiceUnavailable"),
        (of_postgresql("55P03"), "TooManyRequests"),
        (of_postgresql("40P01"), "TooManyRequests"),
        (of_postgresql("40001"), "TooManyRequests"),
        (of_postgresql("57014"), "Timeout"),
        (of_postgresql("25P03"), "Timeout"),
        (of_sqlite(sqlite3.SQLITE_BUSY), "TooManyRequests"),
        (of_sqlite(sqlite3.SQLITE_BUSY_SNAPSHOT), "TooManyRequests"),
        (of_sqlite(sqlite3.SQLITE_FULL), "ServiceUnavailable"),
        (of_postgresql("53200"), "ServiceUnavailable"),
        (of_sqlite(sqlite3.SQLITE_IOERR_WRITE), "ServiceUnavailable"),
        (of_sqlite(sqlite3.SQLITE_ERROR), ""),
        (of_driver(psycopg.errors.UndefinedTable("no such table"), DatabaseError), ""),
        (of_driver(psycopg.errors.UniqueViolation("twice"), IntegrityError), ""),
        (RuntimeError("a bug"), ""),
    ],
)
def test_what_time_alone_mends_is_told_from_what_is_a_fault(error: Exception, reason: str) -> None:
    refused = outages.refusal(error)
    assert (refused.reason if refused else "") == reason
    assert refused is None or refused.retry_after_seconds > 0


@pytest.mark.parametrize("error", [of_sqlite(sqlite3.SQLITE_FULL), of_postgresql("53100")])
def test_a_full_disk_is_named(error: Exception) -> None:
    refused = outages.refusal(error)
    assert refused
    assert "the disk of the database is full" in str(refused)


def test_an_error_that_came_from_an_outage_is_one_too() -> None:
    broken = transaction.TransactionManagementError("a broken transaction")
    broken.__context__ = of_postgresql("57P01")
    assert outages.refusal(broken)


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection can be had, from now on."""

    def refuse(*arguments: Any, **options: Any) -> None:
        raise of_driver(psycopg.OperationalError("connection refused"))

    connection.close()
    monkeypatch.setattr(type(connections[DEFAULT_DB_ALIAS]), "get_new_connection", refuse)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.django_db(transaction=True)
def test_while_the_database_is_away_every_address_answers_503_with_retry_after_and_leaves_no_traceback(
    path: str, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    client = Client(raise_request_exception=False, headers={"Authorization": "Bearer milo_unknown"})
    client.force_login(User.objects.create_superuser("root"))
    request.getfixturevalue("away")
    answer = client.get(path)
    logged = capsys.readouterr().err
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Request-ID"] in logged
    assert "database_outage" in logged
    assert "Traceback" not in logged
    if path.startswith("/api"):
        assert answer.json()["reason"] == "ServiceUnavailable"
        assert answer.json()["details"]["retryAfterSeconds"] == 5
    else:
        assert "the database does not answer now" in answer.content.decode()


def in_another_connection(act: Callable[[], Any]) -> Any:
    def run() -> Any:
        try:
            return act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("setting", "reason"), [("lock_timeout", "TooManyRequests"), ("statement_timeout", "Timeout")])
def test_a_lock_that_is_not_had_in_time_is_429_and_a_statement_that_takes_too_long_504(
    setting: str, reason: str
) -> None:
    if connection.vendor == "sqlite":
        return
    project = make.a_project(make.an_organization())

    def wait() -> str:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL {setting} = 100")
            try:
                Project.objects.select_for_update().get(pk=project.pk)
            except OperationalError as error:
                refused = outages.refusal(error)
                assert refused
                transaction.set_rollback(True)
                return refused.reason
        return ""

    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        assert in_another_connection(wait) == reason
    assert status.CODES[reason] in (429, 504)


@pytest.mark.django_db(transaction=True)
def test_a_deadlock_is_429_and_the_log_tells_who_waited_for_whom() -> None:
    if connection.vendor == "sqlite":
        return
    organization = make.an_organization()
    keys = [make.a_project(organization).pk for _ in range(2)]
    both = Barrier(2)

    def lock(*order: int) -> Exception | None:
        try:
            with transaction.atomic():
                Project.objects.select_for_update().get(pk=order[0])
                both.wait(timeout=30)
                Project.objects.select_for_update().get(pk=order[1])
        except OperationalError as error:
            return error
        return None

    (error,) = filter(None, at_once([partial(lock, *keys), partial(lock, *reversed(keys))]))
    assert isinstance(error, Exception)
    refused = outages.refusal(error)
    assert refused
    assert refused.reason == "TooManyRequests"
    waits = r"Process [0-9]+ waits for ShareLock on transaction [0-9]+; blocked by process [0-9]+\."
    where = r'while locking tuple \([0-9]+,[0-9]+\) in relation "projects_project"'
    logged = rf"deadlock detected: {waits} {waits}: {where} \(SQLSTATE 40P01\)"
    assert re.fullmatch(f"django.db.utils.OperationalError: {logged}", error_texts.describe(error)), error


def test_the_timeouts_of_a_connection_are_those_of_the_settings() -> None:
    assert re.findall(r"-c (\w+)=(\d+)", timeouts(30)) == [
        ("statement_timeout", "30000"),
        ("idle_in_transaction_session_timeout", "30000"),
        ("lock_timeout", "10000"),
    ]
