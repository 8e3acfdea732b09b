"""What the database refuses: a race is to be tried again, all else is a fault that no client should repeat for ever."""

from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from django.db import DatabaseError, connection, transaction

from billing.models import BillingAccount
from milo.races import is_race
from tests.api.client import ACCOUNTS, Api, nothing_changes
from tests.api.examples import ACCOUNT_YAML
from tests.attacks.machinery import SQLITE, execute

pytestmark = pytest.mark.django_db

TABLES = (
    "CREATE TEMPORARY TABLE parent (id integer PRIMARY KEY)",
    "CREATE TEMPORARY TABLE child (id integer CONSTRAINT child_pkey PRIMARY KEY,"
    " name text CONSTRAINT child_name UNIQUE, size integer NOT NULL CHECK (size > 0),"
    " parent integer REFERENCES parent (id))",
    "INSERT INTO child VALUES (1, 'taken', 1, NULL)",
)
FAULTS = {
    "INSERT INTO child VALUES (2, 'taken', 1, NULL)": True,
    "INSERT INTO child VALUES (1, 'free', 1, NULL)": False,
    "INSERT INTO child VALUES (2, 'free', 0, NULL)": False,
    "INSERT INTO child VALUES (2, 'free', NULL, NULL)": False,
    "INSERT INTO child VALUES (2, 'free', 1, 7)": False,
}
OF_POSTGRESQL = {"23P01": True, "40001": True, "40P01": True, "23000": False, "23514": False, "55000": False}


def refused(statement: str) -> DatabaseError:
    with pytest.raises(DatabaseError) as refusal, transaction.atomic():
        execute(statement)
    return refusal.value


@pytest.mark.parametrize("statement", FAULTS)
def test_a_name_that_is_taken_is_a_race_and_no_other_broken_rule_is(statement: str) -> None:
    for table in TABLES:
        execute(table)
    if "7)" in statement and connection.vendor == SQLITE:  # which asks for parents when the transaction ends
        return
    assert is_race(refused(statement)) == FAULTS[statement]


@pytest.mark.parametrize("state", OF_POSTGRESQL)
def test_transactions_that_postgresql_ended_for_another_are_races(state: str) -> None:
    if connection.vendor == SQLITE:
        return
    error = refused(f"DO $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '{state}'; END $$")
    assert is_race(error) == OF_POSTGRESQL[state]


def raising(statement: str) -> Callable[..., NoReturn]:
    def fail(*_arguments: Any, **_options: Any) -> NoReturn:
        execute(statement)
        raise AssertionError(statement)

    return fail


@pytest.mark.parametrize("statement", FAULTS)
def test_the_api_asks_for_another_try_of_a_race_alone(
    admin: Api, statement: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for table in TABLES:
        execute(table)
    if "7)" in statement and connection.vendor == SQLITE:
        return
    monkeypatch.setattr(BillingAccount, "save", raising(statement))
    capsys.readouterr()
    with nothing_changes():
        answer = admin.post(ACCOUNTS, ACCOUNT_YAML, "application/yaml")
        if FAULTS[statement]:
            assert "please try again" in answer.refused(409, "Conflict")["message"]
            assert "Traceback" not in capsys.readouterr().err
        else:
            message = answer.refused(500, "InternalError")["message"]
            assert "try again" not in message
            assert "Retry-After" not in answer.headers
            assert capsys.readouterr().err.count("Traceback (most recent call last)") >= 1
