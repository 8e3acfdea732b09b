"""The role of the application on PostgreSQL (deploy/postgresql-roles.sql): it does its work, and owns nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from billing.services.projects import archive_project
from billing.tasks import deliver_notices, inspect_ledger
from milo.kube.tasks import compact_change_log
from milo.ledger.tables import all_tables
from milo.ledger.tasks import seal_ledger
from milo.ledger.verification import verify
from tests import make
from tests.attacks.machinery import SQLITE, execute
from tests.ledger import nothing_changes

pytestmark = pytest.mark.django_db
ROLES = Path(settings.BASE_DIR, "deploy", "postgresql-roles.sql")


@pytest.fixture
def application() -> Iterator[None]:
    """The connection acts as the application's role. SQLite knows no roles: there the guards alone refuse."""
    if connection.vendor == SQLITE:
        yield
        return
    execute_script(ROLES.read_text())
    execute("SET LOCAL ROLE milo_application")
    yield
    connection.check_constraints()
    execute("RESET ROLE")


def execute_script(script: str) -> None:
    """Run SQL of several statements, as psql would."""
    connection.ensure_connection()
    result = connection.connection.pgconn.exec_(script.encode())
    assert not result.error_message, result.error_message


def test_the_application_does_all_its_work_by_its_role(application: None) -> None:
    organization = make.an_organization()
    project, account = make.a_project(organization), make.a_ready_account(organization)
    make.a_binding(project, account)
    make.in_phase(account, "Suspended")
    archive_project(project.pk, actor=make.PLATFORM)
    deliver_notices()
    assert seal_ledger() > 0
    compact_change_log()
    assert inspect_ledger() == 0
    assert verify().faults == []


ATTACKS = {
    "update": "UPDATE {table} SET {key} = {key} + 1",
    "delete": "DELETE FROM {table}",
    "truncate": "TRUNCATE {table}",
    "switch off": "ALTER TABLE {table} DISABLE TRIGGER ALL",
    "drop a guard": "DROP TRIGGER change_fixed ON kube_change",
    "replace a guard": "CREATE OR REPLACE FUNCTION change_fixed() RETURNS trigger LANGUAGE sql AS 'SELECT NULL'",
    "be a replica": "SET session_replication_role = replica",
    "own": "ALTER TABLE {table} OWNER TO milo_application",
}
ON_SQLITE = ("update", "delete")


def test_the_application_can_neither_alter_the_past_nor_switch_its_guards_off(application: None) -> None:
    make.in_phase(make.a_ready_account(make.an_organization()), "Suspended")
    seal_ledger()
    with nothing_changes():
        for name, attack in ATTACKS.items():
            if connection.vendor == SQLITE and name not in ON_SQLITE:
                continue
            for table in all_tables():
                if not table.model._base_manager.exists():
                    continue
                with pytest.raises(DatabaseError), transaction.atomic():
                    execute(attack.format(table=table.name, key=table.key))


def test_the_check_warns_of_a_role_that_owns_the_tables(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("check", databases=["default"], tags=["database"])
    warned = "owns the tables, and so can switch off the guards" in capsys.readouterr().err
    assert warned == (connection.vendor == "postgresql")


def test_the_check_finds_nothing_wrong_with_the_role_of_the_application(
    application: None, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("check", databases=["default"], tags=["database"])
    assert "owns the tables" not in capsys.readouterr().err
