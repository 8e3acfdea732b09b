"""Every family of database error, with personal data in the row or the statement, and the whole log of it."""

import json
import logging
import traceback
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from django.db import DatabaseError, Error, connection, transaction
from django.test import Client

from billing import tasks
from billing.models import BillingAccount, Notice
from milo.admin.site import StaffSite
from milo.celery import app
from milo.kube.views import KubeView
from tests.api.client import ACCOUNTS, Api
from tests.support import make
from tests.support.database import as_owner

assert app, "with it, tasks have ids"
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("json_lines", "probe_table")]

NAME, EMAIL, NUMBER, STREET = "Jane O'Planted", "jane.planted@acme-corp.example", "987650004321", "Planted Street 17"
PLANTED = ("Planted", "planted", "Jane", NUMBER)
# STRICT, because SQLite takes any value into any column otherwise
_TABLE = {
    "postgresql": """
        CREATE TABLE probe (
            id bigint PRIMARY KEY,
            name text NOT NULL,
            email varchar(40) UNIQUE,
            street text,
            parent_id bigint REFERENCES probe (id),
            born date,
            small smallint,
            document jsonb,
            CONSTRAINT probe_name_short CHECK (length(name) < 40),
            CONSTRAINT probe_street_alone EXCLUDE (street WITH =)
        )""",
    "sqlite": """
        CREATE TABLE probe (
            id integer PRIMARY KEY,
            name text NOT NULL,
            email text UNIQUE,
            street text,
            parent_id integer REFERENCES probe (id),
            born text CHECK (born IS date(born)),
            small integer,
            document text CHECK (document IS NULL OR json_valid(document)),
            CONSTRAINT probe_name_short CHECK (length(name) < 40)
        ) STRICT""",
}


@pytest.fixture
def probe_table(db: None) -> None:
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(_TABLE[connection.vendor])
        if connection.vendor == "postgresql":
            cursor.execute("GRANT ALL ON probe TO PUBLIC")
        cursor.execute("INSERT INTO probe (id, name, email, street) VALUES (1, %s, %s, %s)", [NAME, EMAIL, STREET])


def insert(**columns: Any) -> Callable[[], None]:
    row: dict[str, Any] = {"id": 2, "name": NAME, "street": f"{STREET} b"} | columns

    def run() -> None:
        with connection.cursor() as cursor:
            names, marks = ", ".join(row), ", ".join(["%s"] * len(row))
            cursor.execute(f"INSERT INTO probe ({names}) VALUES ({marks})", list(row.values()))

    return run


def select(expression: str, *values: Any) -> Callable[[], None]:
    def run() -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {expression} FROM probe WHERE name = %s", [*values, NAME])

    return run


def refused_by_a_trigger() -> None:
    account = BillingAccount.objects.get(name="us")
    notice = Notice.objects.create(
        about="Closed", account=account, cause_uid=account.uid, subject_uid=account.uid, recipient=EMAIL
    )
    Notice.objects.filter(pk=notice.pk).update(recipient=f"x{EMAIL}")


def null_in_a_model() -> None:
    account = BillingAccount.objects.get(name="us")
    Notice.objects.create(
        about="Closed",
        account=account,
        cause_uid=account.uid,
        subject_uid=account.uid,
        recipient=EMAIL,
        due_at=None,  # type: ignore[misc]
    )


FAMILIES: dict[str, Callable[[], None]] = {
    "not null": insert(name=None, email=EMAIL.replace("jane", "b")),
    "check": insert(name=NAME * 5),
    "unique": insert(email=EMAIL),
    "primary key": insert(id=1),
    "foreign key": insert(parent_id=int(NUMBER)),
    "trigger's refusal": refused_by_a_trigger,
    "not null of a model": null_in_a_model,
    "type of a value": insert(small=NAME),
    "date": insert(born=NAME),
    "invalid JSON": insert(document=f'{{"name": "{NAME}", '),
    "statement at fault": select("%s AND AND", NAME),
}
ON_POSTGRESQL: dict[str, Callable[[], None]] = {
    "exclusion": insert(street=STREET),
    "value too long": insert(email=EMAIL * 3),
    "numeric out of range": insert(small=int(NUMBER)),
    "numeric out of range as text": insert(small=NUMBER),
    "date out of range": insert(born=f"{NUMBER}-02-31"),
    "invalid uuid": select("%s::uuid", NAME),
    "invalid integer with a quote": select("%s::integer", f'{NAME}" {EMAIL}'),
    "JSON of several lines": select("%s::jsonb", f'{{"a": 1,\n"{NAME}": {EMAIL}}}'),
    "division": select("1 / (length(%s) - length(%s))", NAME, NAME),
    "invalid regular expression": select("name ~ %s", f"({NAME}"),
    "invalid time zone": select("now() AT TIME ZONE %s", NAME),
    "invalid timestamp": select("%s::timestamptz", NAME),
    "cast of a function": select("to_date(%s, 'YYYY-MM-DD')", NAME),
    "no such column": select("probe_column || %s", NAME),
    "no such function": select("probe_function(%s)", NAME),
    "NUL": insert(name=f"{NAME}\x00"),
}


def families() -> dict[str, Callable[[], None]]:
    return FAMILIES | (ON_POSTGRESQL if connection.vendor == "postgresql" else {})


def broken(family: Callable[[], None]) -> None:
    with transaction.atomic():
        family()
        connection.check_constraints()


def error_of(family: Callable[[], None]) -> Exception:
    try:
        broken(family)
    except (Error, ValueError) as error:
        return error
    raise AssertionError("the database has taken it")


def expect_nothing_planted(log: str, family: str) -> None:
    for text in PLANTED:
        assert text not in log, f"{family}: {text} in {log}"


@pytest.mark.parametrize("family", [*FAMILIES, *ON_POSTGRESQL])
def test_an_error_in_an_event_says_what_was_broken_and_not_by_which_value(
    family: str, account: BillingAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    if family not in families():
        pytest.skip("SQLite has no such error")
    error = error_of(families()[family])
    told = "".join(traceback.format_exception(error))
    capsys.readouterr()
    structlog.get_logger("ours").warning("failed", error=error)
    logging.getLogger("theirs").error("failed: %s", error, exc_info=error)
    logging.getLogger("theirs").error("failed: %(error)s", {"error": error})
    logged = capsys.readouterr().err
    assert len(logged.splitlines()) == 3
    expect_nothing_planted(logged, family)
    first = json.loads(logged.splitlines()[0])["error"]
    assert type(error).__name__ in first
    if family in ("unique", "not null", "check", "exclusion"):
        assert "probe" in first, told
    if isinstance(error, DatabaseError) and connection.vendor == "postgresql" and family != "NUL":
        assert "SQLSTATE" in first, told


def test_the_log_of_pages_api_and_tasks_has_none_either(
    account: BillingAccount, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    api = Api.of(make.a_person(roles={account.organization: "billing-viewer"}))
    staff = Client(raise_request_exception=False)
    staff.force_login(make.a_person(is_staff=True, is_superuser=True))
    for family, run in families().items():

        def breaks(*_arguments: Any, run: Callable[[], None] = run, **_options: Any) -> None:
            broken(run)

        monkeypatch.setattr(KubeView, "manifest", breaks)
        monkeypatch.setattr(StaffSite, "attention", breaks)
        monkeypatch.setattr("billing.tasks.accounts.validate_waiting", breaks)
        capsys.readouterr()
        assert api.get(f"{ACCOUNTS}/us").code in (409, 500), family
        assert staff.get("/admin/").status_code == 500, family
        assert tasks.validate_waiting_accounts.apply(throw=False).failed(), family
        logged = capsys.readouterr().err
        lines = list(map(json.loads, logged.splitlines()))
        assert len([line for line in lines if line["event"] in ("request", "task")]) == 3, logged
        assert sum("exception" in line for line in lines) >= 2, logged
        expect_nothing_planted(logged, family)
