"""Versions before this one, which serve on its tables during an upgrade, and again where people go back.

`versions/COMMIT.json` has of the version of that commit its `tables` with their columns, the `functions` of PostgreSQL
that it calls with their types, and its `writes`: the statements of a few acts, as PostgreSQL got them.
`versions/record.py` makes a new one.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from billing.models import BillingAccount, Charge, Hold, Suspension
from billing.services.bindings import bind
from billing.services.suspensions import suspend
from milo.ledger import seals
from milo.ledger.verification import verify
from projects.models import Project
from tests.attacks.machinery import SQLITE
from tests.ledger.versions.record import restart_sequences
from tests.support import make
from tests.support.database import as_owner
from tests.support.ledger import assert_history_explains, assert_timeline

pytestmark = pytest.mark.django_db

VERSIONS = {path.stem: json.loads(path.read_text()) for path in Path(__file__).parent.glob("versions/*.json")}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_column_of_a_version_before_is_there_and_every_newer_one_does_without_it(
    version: str, subtests: pytest.Subtests
) -> None:
    """On a failure here: give a new column a `db_default`, and take an old one away a version later."""
    with connection.cursor() as cursor:
        for table, columns in VERSIONS[version]["tables"].items():
            described = {
                column.name: column for column in connection.introspection.get_table_description(cursor, table)
            }
            keys = {connection.introspection.get_primary_key_column(cursor, table)}
            with subtests.test(table):
                assert set(columns) <= set(described)
                newer = [column for name, column in described.items() if name not in {*columns, *keys}]
                assert [column.name for column in newer if not column.null_ok and column.default is None] == []


@pytest.mark.parametrize("version", VERSIONS)
def test_every_function_that_a_version_before_calls_is_there(version: str) -> None:
    if connection.vendor == SQLITE:  # has no functions
        assert VERSIONS[version]["tables"]
        return
    called = [f"public.{name}({','.join(types)})" for name, types in VERSIONS[version]["functions"].items()]
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM unnest(%s::text[]) name WHERE to_regprocedure(name) IS NULL", [called])
        assert cursor.fetchall() == []


def replay(writes: list[str]) -> None:
    """Have a version before write what it wrote, with the keys that it was given then."""
    with connection.cursor() as cursor:
        restart_sequences(cursor)
        cursor.execute("UPDATE kube_counter SET value = 0")
        for statement in writes:
            cursor.execute(statement)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_a_version_before_writes_on_these_tables_this_one_reads_goes_on_with_and_proves(version: str) -> None:
    writes: Any = VERSIONS[version]["writes"]
    if connection.vendor == SQLITE:  # one process alone serves there
        assert writes
        return
    # its role keeps the right to write history until deploy/postgresql-roles.sql is run for the new version
    with as_owner():
        replay(writes)
    first, second = BillingAccount.objects.order_by("pk")
    assert (first.phase, second.phase, second.display_name) == ("Suspended", "Ready", "Erika Example")
    opened = first.history.earliest()
    assert opened.history_change_reason == "BillingAccountOpened"
    closed = Project.objects.get(name="old-before").history.latest()
    assert closed.history_change_reason == "ProjectArchived"
    assert [suspension.message for suspension in Suspension.objects.all()] == ["Invoice 17: unpaid"]
    assert Hold.objects.get().type == "Dispute"
    assert Charge.objects.get().settlement_reference == "paid"
    web = Project.objects.get(name="web-before")
    third = make.a_ready_account(web.organization, "third")
    bind(web.organization_id, "web-third", "web-before", "third", actor=make.PLATFORM)
    make.approve(second.approval_requests.get().pk, actor=make.APPROVER)
    suspend(second.pk, reason_code="ManualReview", message="under review", actor=make.PLATFORM)
    assert len(assert_timeline(web)) == 3
    for row in (first, second, third, web):
        assert_history_explains(row)
    seals.seal()
    assert verify().faults == []
