"""Each way to falsify the past, by each hand: the application is refused, by ORM and by SQL, and the owner is found.

Forged POSTs of a superuser are in `tests/admin/test_forged_posts.py`: no row of the past has a page that takes one.
"""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from billing.models import BillingAccount
from milo.ledger import seals
from milo.ledger.verification import verify
from tests.attacks.machinery import execute
from tests.support import make, tamper
from tests.support.database import as_owner
from tests.support.ledger import nothing_changes

pytestmark = pytest.mark.django_db
PAST = BillingAccount.history.model
TABLE = PAST._meta.db_table
COLUMNS = ", ".join(str(column.column) for column in PAST._meta.concrete_fields if not column.primary_key)
Rows = list[Any]


def sql_swap(rows: Rows) -> None:
    first, second = rows[0].pk, rows[1].pk
    for was, becomes in ((first, -1), (second, first), (-1, second)):
        execute(f"UPDATE {TABLE} SET history_id = {becomes} WHERE history_id = {was}")


def sql_insert(rows: Rows) -> None:
    execute(f"DELETE FROM {TABLE} WHERE history_id = {rows[1].pk}")
    execute(f"INSERT INTO {TABLE} (history_id, {COLUMNS}) SELECT {rows[1].pk}, {COLUMNS} FROM {TABLE} LIMIT 1")


def sql_insert_over(rows: Rows) -> None:
    execute(f"INSERT INTO {TABLE} (history_id, {COLUMNS}) SELECT history_id, {COLUMNS} FROM {TABLE}")


def orm_insert(rows: Rows) -> None:
    tamper.remove(rows[1])
    tamper.insert(rows[0], rows[1].pk)


ACTS: dict[str, dict[str, Callable[[Rows], object]]] = {
    "alter": {
        "ORM": lambda rows: tamper.alter(rows[0], net_days=90),
        "SQL": lambda rows: execute(f"UPDATE {TABLE} SET net_days = 90 WHERE history_id = {rows[0].pk}"),
    },
    "delete in the middle": {
        "ORM": lambda rows: tamper.remove(rows[1]),
        "SQL": lambda rows: execute(f"DELETE FROM {TABLE} WHERE history_id = {rows[1].pk}"),
    },
    "delete the tail": {
        "ORM": lambda rows: tamper.remove(*rows[-2:]),
        "SQL": lambda rows: execute(f"DELETE FROM {TABLE} WHERE history_id >= {rows[-2].pk}"),
    },
    "insert": {"ORM": orm_insert, "SQL": sql_insert},
    "swap": {"ORM": lambda rows: tamper.swap(rows[0], rows[1]), "SQL": sql_swap},
}
BY = [(act, how) for act, hands in ACTS.items() for how in hands]


@pytest.fixture
def past() -> Rows:
    """Six sealed rows of three accounts."""
    organization = make.an_organization()
    for _ in range(3):
        make.a_ready_account(organization)
    seals.seal()
    assert verify().faults == []
    return list(PAST.objects.order_by("pk"))


@pytest.mark.parametrize(("act", "how"), BY)
def test_the_application_is_refused(past: Rows, act: str, how: str) -> None:
    with nothing_changes(), pytest.raises(DatabaseError), transaction.atomic():
        ACTS[act][how](past)


@pytest.mark.parametrize(("act", "how"), BY)
def test_the_owner_is_refused_while_the_guards_stand(past: Rows, act: str, how: str) -> None:
    with nothing_changes(), as_owner(), pytest.raises(DatabaseError), transaction.atomic():
        ACTS[act][how](past)


@pytest.mark.parametrize(("act", "how"), BY)
def test_the_owner_without_guards_is_found(past: Rows, act: str, how: str) -> None:
    keys = [row.pk for row in past]
    with tamper.guards_off():
        ACTS[act][how](past)
    found = [(fault.table, fault.row) for fault in verify().faults]
    named = {"alter": 0, "swap": 0, "delete in the middle": 1, "insert": 1, "delete the tail": -2}
    assert (TABLE, keys[named[act]]) in found


def test_a_key_that_is_taken_is_not_given_again(past: Rows) -> None:
    with nothing_changes(), pytest.raises(DatabaseError), transaction.atomic():
        sql_insert_over(past)


@pytest.mark.parametrize("key", [0, -7])
def test_what_is_added_before_the_first_key_is_found(past: Rows, key: int) -> None:
    """Nobody is ever given such a key."""
    with tamper.guards_off():
        execute(f"INSERT INTO {TABLE} (history_id, {COLUMNS}) SELECT {key}, {COLUMNS} FROM {TABLE} LIMIT 1")
    (fault,) = verify().faults
    assert (fault.table, fault.row, fault.message) == (TABLE, key, "was inserted after it had been sealed")
