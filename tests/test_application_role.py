"""The role of the application on PostgreSQL (deploy/postgresql-roles.sql): it does its work, and owns nothing.

Every test acts as that role; these are about it. SQLite knows no roles: there the guards alone refuse.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command, get_commands
from django.core.management.base import SystemCheckError
from django.db import DatabaseError, connection, transaction
from django.test import Client

from billing.models import BillingAccount, usage_partitions
from billing.services.projects import archive_project
from milo import append_only
from milo.celery import app
from milo.identity.models import Identity, ServiceToken
from milo.ledger.privileges import forbidden_privileges, strangers
from milo.ledger.tables import all_tables
from milo.ledger.tasks import seal_ledger
from milo.ledger.verification import verify
from tests.attacks.machinery import SQLITE, execute
from tests.support import make
from tests.support.clock import clock
from tests.support.database import ROLES as ROLES_FILE
from tests.support.database import as_owner
from tests.support.ledger import nothing_changes
from tests.support.threads import at_once
from tests.support.usage import an_event, taken

__all__ = ["clock"]

pytestmark = pytest.mark.django_db


OWNERS_COMMANDS = {"migrate", "up"}
# it serves until it is stopped: tests/web/test_serve.py; what it serves acts as the role in every test of the API
SERVERS_COMMANDS = {"serve"}
COMMANDS = (
    ("access_table",),
    ("archive", "verify"),
    ("compliance", "check", "--organization", "acme-corp"),
    ("identity", "link", "robot", "1234", "--issuer", "https://id.example", "--reason", "has come"),
    ("identity", "list"),
    ("identity", "unlink", "{identity}", "--reason", "has left"),
    ("ledger", "seal"),
    ("ledger", "verify"),
    ("ledger", "continuity"),
    ("ledger", "unbound"),
    ("ledger", "export", "{folder}/bundle.zip", "--organization", "acme-corp"),
    ("renew_manifests",),
    ("retention", "plan"),
    ("role", "grant", "acme-corp", "robot", "billing-user"),
    ("role", "list", "acme-corp"),
    ("role", "revoke", "acme-corp", "robot", "billing-user", "--reason", "is retired"),
    ("second_factor", "reset", "robot", "--reason", "has lost it"),
    ("token", "service-user", "program"),
    ("token", "issue", "program"),
    ("hierarchy", "verify"),
    ("hierarchy", "rebuild"),
    ("token", "list"),
    ("token", "revoke", "{token}"),
    ("usage", "verify"),
    ("usage", "rebuild"),
)


@pytest.fixture
def work(settings: Any) -> BillingAccount:
    """Something of everything that the background looks after."""
    settings.MILO_PLATFORM_COUNTRY = "DE"
    settings.STORAGES = {**settings.STORAGES, "archive": {"BACKEND": "django.core.files.storage.InMemoryStorage"}}
    organization = make.an_organization("acme-corp")
    project, account = make.a_project(organization), make.a_ready_account(organization, display_name="Erika Example")
    make.a_binding(project, account)
    taken(an_event(project))
    make.in_phase(account, "Suspended")
    archive_project(project.pk, actor=make.PLATFORM)
    return make.in_phase(account, "Closed")


def run_every_task() -> None:
    app.loader.import_default_modules()
    # sealed before and after: what the others write is proven too
    tasks = sorted(name for name in app.tasks if not name.startswith("celery."))
    assert {each["task"] for each in settings.CELERY_BEAT_SCHEDULE.values()} <= set(tasks)
    for name in (*tasks, "milo.ledger.tasks.seal_ledger"):
        app.tasks[name]()


def test_every_task_does_its_work_by_the_role_of_the_application(
    work: BillingAccount, clock: Callable[[date], None]
) -> None:
    run_every_task()
    for later in (timedelta(days=100), timedelta(days=365 * 12)):
        clock(date.today() + later)
        run_every_task()
    work.refresh_from_db()
    assert (work.phase, work.display_name) == ("Archived", "[purged]")
    assert usage_partitions.missing(connection) == []
    assert verify().faults == []


def test_every_command_but_those_of_the_owner_runs_by_the_role_of_the_application(
    work: BillingAccount, tmp_path: Path
) -> None:
    ours = {
        name for name, label in get_commands().items() if label.partition(".")[0] in ("milo", "projects", "billing")
    }
    assert {command for command, *_arguments in COMMANDS} == ours - OWNERS_COMMANDS - SERVERS_COMMANDS
    make.a_person("robot")
    for command, *arguments in COMMANDS:
        token = ServiceToken.objects.order_by("pk").values_list("pk", flat=True).first()
        identity = Identity.objects.values_list("pk", flat=True).first()
        known = {"folder": tmp_path, "token": token, "identity": identity}
        call_command(command, *(each.format(**known) for each in arguments))
    assert (tmp_path / "bundle.zip").exists()


def test_nobody_but_the_application_makes_partitions_and_no_table_of_its_own_stands_in() -> None:
    assert usage_partitions.missing(connection) == []
    if connection.vendor == SQLITE:
        return
    month = usage_partitions.months_ahead(datetime.now(UTC).date())[-1]
    with as_owner():
        execute(f"DROP TABLE {usage_partitions.name(month)}")
    execute("CREATE TEMPORARY TABLE billing_usageevent (time timestamptz) PARTITION BY RANGE (time)")
    usage_partitions.make(connection, month)
    execute("DROP TABLE pg_temp.billing_usageevent")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhparent::regclass::text FROM pg_inherits WHERE inhrelid = to_regclass(%s)",
            [f"public.{usage_partitions.name(month)}"],
        )
        assert cursor.fetchall() == [("billing_usageevent",)]
        cursor.execute(
            "SELECT grantee FROM information_schema.routine_privileges"
            " WHERE routine_name = 'make_usage_partition' AND grantee <> grantor"
        )
        assert cursor.fetchall() == [("milo_application",)]


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


def test_the_application_can_neither_alter_the_past_nor_switch_its_guards_off() -> None:
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


def who() -> tuple[str, bool, int]:
    """The role of this connection, whether it is a superuser, and how many tables, functions and schemas it owns."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_user, rolsuper, (SELECT count(*) FROM pg_class WHERE pg_has_role(relowner, 'USAGE'))"
            " + (SELECT count(*) FROM pg_proc WHERE pg_has_role(proowner, 'USAGE'))"
            " + (SELECT count(*) FROM pg_namespace WHERE pg_has_role(nspowner, 'USAGE'))"
            " FROM pg_roles WHERE rolname = current_user"
        )
        name, superuser, owned = cursor.fetchone()
    return name, superuser, owned


@pytest.mark.django_db(transaction=True)
def test_every_connection_of_the_tests_acts_as_a_role_that_owns_nothing() -> None:
    if connection.vendor == SQLITE:
        return
    assert who() == ("milo_application", False, 0)
    assert at_once([who, who]) == [("milo_application", False, 0)] * 2
    with as_owner():
        assert who()[1]
    assert who() == ("milo_application", False, 0)
    connection.close()
    assert who() == ("milo_application", False, 0)


def test_the_check_warns_of_a_role_that_owns_the_tables(capsys: pytest.CaptureFixture[str]) -> None:
    with as_owner():
        call_command("check", databases=["default"], tags=["database"])
    warned = "owns the tables, and so can switch off the guards" in capsys.readouterr().err
    assert warned == (connection.vendor == "postgresql")


def every_privilege_not_held() -> list[tuple[str, str, str]]:
    """Each privilege on each table that the role does not hold: what to grant, on what, and how the check names it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, privilege FROM pg_class CROSS JOIN"
            " unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) privilege"
            " WHERE relnamespace = to_regnamespace('public') AND relkind IN ('r', 'p')"
            " AND NOT has_table_privilege(pg_class.oid, privilege)"
        )
        tables = [(privilege, table, f"{privilege} on {table}") for table, privilege in cursor.fetchall()]
        cursor.execute(
            "SELECT relname, privilege, attname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid"
            " CROSS JOIN unnest(ARRAY['INSERT', 'UPDATE', 'REFERENCES']) privilege"
            " WHERE relnamespace = to_regnamespace('public') AND relkind IN ('r', 'p') AND NOT attisdropped"
            " AND NOT has_any_column_privilege(pg_class.oid, privilege) AND attnum IN (1, 2)"
        )
        columns = [(f'{p} ("{c}")', table, f"{p} on {table}") for table, p, c in cursor.fetchall()]
        cursor.execute("SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace('public') AND relkind = 'S'")
        sequences = [("UPDATE", f"SEQUENCE public.{name}", f"UPDATE on {name}") for (name,) in cursor.fetchall()]
    return [
        *((privilege, f"public.{table}", named) for privilege, table, named in tables + columns),
        *sequences,
        ("UPDATE (digest)", "public.ledger_seal", "UPDATE on ledger_seal"),
        ("CREATE", "SCHEMA public", "CREATE on the schema public"),
    ]


def test_the_check_names_every_privilege_that_the_role_must_not_hold(subtests: pytest.Subtests) -> None:
    """Generated of all tables: whatever deploy/postgresql-roles.sql does not grant is named where it is granted."""
    if connection.vendor == SQLITE:  # knows no privileges
        assert call_command("check", databases=["default"], tags=["database"]) is None
        return
    lacking = every_privilege_not_held()
    assert len(lacking) > 400
    for privilege, on, named in lacking:
        with subtests.test(granted=f"{privilege} ON {on}"):
            point = transaction.savepoint()
            with as_owner():
                execute(f"GRANT {privilege} ON {on} TO milo_application")
            held = [f"{held} on {table}" for table, held in forbidden_privileges(connection)]
            transaction.savepoint_rollback(point)
            assert held == [named]
    assert forbidden_privileges(connection) == []


@pytest.mark.parametrize(
    "granted",
    ["DELETE ON billing_notice", "INSERT ON identity_historicaluser", "UPDATE ON billing_usageevent"],
)
def test_the_check_fails_on_a_privilege_that_the_role_must_not_hold(granted: str) -> None:
    if connection.vendor == SQLITE:  # knows no privileges
        assert call_command("check", databases=["default"], tags=["database"]) is None
        return
    with as_owner():
        execute(f"GRANT {granted} TO milo_application")
    with pytest.raises(SystemCheckError, match=granted.replace(" ON ", " on ")):
        call_command("check", databases=["default"], tags=["database"])


ROLES = {
    "ALTER ROLE milo_application CREATEROLE": "CREATEROLE on every role",
    "GRANT pg_execute_server_program TO milo_application": "membership on pg_execute_server_program",
    "ALTER ROLE milo_application NOINHERIT; GRANT {owner} TO milo_application": "membership on ",
}


@pytest.mark.parametrize("change", ROLES)
def test_the_check_names_what_would_make_the_role_the_owner_or_more(change: str) -> None:
    if connection.vendor == SQLITE:  # knows no roles
        assert strangers(connection) == []
        return
    with as_owner():
        owner = who()[0]
        if who()[1] and "{owner}" in change:
            execute("CREATE ROLE another_owner; ALTER TABLE ledger_seal OWNER TO another_owner")
            owner = "another_owner"
        execute(change.format(owner=owner))
    named = [f"{privilege} on {on}" for on, privilege in forbidden_privileges(connection)]
    assert [name for name in named if name.startswith(ROLES[change])]


STRANGERS = {
    "ALTER TABLE billing_usageevent_default DISABLE TRIGGER usage_event_never_changed": "is switched off",
    "CREATE TRIGGER zzz BEFORE INSERT ON identity_login FOR EACH ROW EXECUTE FUNCTION change_fixed()": "zzz on",
    "CREATE RULE swallow AS ON INSERT TO identity_login DO INSTEAD NOTHING": "the rule swallow on identity_login",
    "ALTER TABLE identity_login ENABLE ROW LEVEL SECURITY": "rows of identity_login are hidden",
    "CREATE FUNCTION public.evil() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'": "the function evil runs",
    "SET LOCAL session_replication_role = replica": "session_replication_role",
}


@pytest.mark.parametrize("change", STRANGERS)
def test_the_check_and_the_probe_name_what_passes_guards_by(change: str, client: Client) -> None:
    if connection.vendor == SQLITE:  # keeps a trigger as one text, which is compared
        assert strangers(connection) == []
        return
    connection.check_constraints()
    with as_owner():
        execute(change)
    with pytest.raises(SystemCheckError, match=STRANGERS[change]):
        call_command("check", databases=["default"], tags=["database"])
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert STRANGERS[change] in answer.json()["why"]


def test_a_version_serves_on_beside_the_guards_of_the_next_one_and_no_longer_once_they_are_its_own(
    client: Client,
) -> None:
    if connection.vendor == SQLITE:  # one process alone serves there
        assert client.get("/readyz").status_code == 200
        return
    connection.check_constraints()
    function = "CREATE OR REPLACE FUNCTION public.{0}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
    with as_owner():
        execute(function.format("change_fixed"))
        execute(function.format("newer"))
        execute("CREATE TRIGGER newer BEFORE INSERT ON kube_change FOR EACH ROW EXECUTE FUNCTION newer()")
    assert client.get("/readyz").status_code == 503
    with as_owner():
        execute(f"COMMENT ON TABLE django_migrations IS 'guards of Milo: sha256 {'0' * 64}'")
    assert client.get("/readyz").status_code == 200
    with pytest.raises(SystemCheckError, match="guard change_fixed is missing"):
        call_command("check", databases=["default"], tags=["database"])
    with as_owner():
        execute("ALTER TABLE kube_change DISABLE TRIGGER newer")
    assert "the trigger newer on kube_change is switched off" in client.get("/readyz").json()["why"]
    with as_owner():
        append_only.announce(connection)
    assert "guards are missing: change_fixed" in client.get("/readyz").json()["why"]


FUNCTIONS = {
    "CREATE OR REPLACE FUNCTION public.make_usage_partition(month date) RETURNS void LANGUAGE plpgsql SECURITY DEFINER"
    " AS 'BEGIN END'": "make_usage_partition",
    "GRANT EXECUTE ON FUNCTION public.make_usage_partition(date) TO PUBLIC": "make_usage_partition",
    "CREATE ROLE another_owner; GRANT CREATE ON SCHEMA public TO another_owner;"
    " ALTER FUNCTION change_fixed() OWNER TO another_owner": "change_fixed",
}


@pytest.mark.parametrize("change", FUNCTIONS)
def test_a_function_that_is_another_or_is_anybodys_counts_as_missing(change: str) -> None:
    if connection.vendor == SQLITE:  # has no functions
        assert append_only.missing(connection) == []
        return
    with as_owner():
        execute(change)
    assert [guard.name for guard in append_only.missing(connection)] == [FUNCTIONS[change]]


def test_the_file_of_rights_names_the_role_that_must_run_it() -> None:
    if connection.vendor == SQLITE:  # knows no roles
        assert strangers(connection) == []
        return
    who_may = ROLES_FILE.read_text().partition("END $$;")[0] + "END $$"
    with pytest.raises(DatabaseError, match=r"the tables are of the role .*, not of milo_application"):
        execute(who_may)


def test_the_check_finds_nothing_wrong_with_the_role_of_the_application(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("check", databases=["default"], tags=["database"])
    assert "owns the tables" not in capsys.readouterr().err
