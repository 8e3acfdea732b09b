"""What the database itself refuses, whoever writes: each guard and named constraint, provoked past the services."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.core.management.sql import emit_pre_migrate_signal
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.migrations import Migration
from django.db.models import CheckConstraint, UniqueConstraint
from django.test.utils import CaptureQueriesContext

from milo import append_only
from milo.ledger import privileges
from tests.attacks import ATTACKS
from tests.attacks.machinery import SQLITE, execute, update
from tests.support import make
from tests.support.database import as_owner
from tests.support.ledger import LEDGER_APPS, everything

pytestmark = pytest.mark.django_db


def declared_constraints() -> set[str]:
    return {
        constraint.name
        for label in LEDGER_APPS
        for model in apps.get_app_config(label).get_models()
        for constraint in model._meta.constraints
        if isinstance(constraint, CheckConstraint | UniqueConstraint)
    }


def test_every_guard_and_every_named_constraint_is_attacked_here() -> None:
    guards = {guard.name for guard in append_only.all_guards() if not guard.writes}
    assert set(ATTACKS) == guards | declared_constraints()


@pytest.mark.parametrize(
    "build", dict.fromkeys(build for build, _ in ATTACKS.values()), ids=lambda build: build.__module__
)
def test_the_database_refuses_by_name_and_keeps_all_rows(build: Callable[[], Any], subtests: pytest.Subtests) -> None:
    """To the application, and to the owner of the tables, who may do more and whom the guard itself refuses."""
    world, guards = build(), {guard.name: guard for guard in append_only.all_guards()}
    before = everything()
    attacks = [
        (name, attack)
        for name, (whose, attacks) in ATTACKS.items()
        if whose is build
        for attack in attacks
        if attack.only in ("", connection.vendor)
    ]
    # once a guard was lifted, SQLite reads its whole schema again after each rollback
    for name, attack in sorted(attacks, key=lambda named: bool(named[1].lifting)):
        named = re.compile(attack.says.get(connection.vendor, rf"\b{name}\b"))
        with subtests.test(name):
            with pytest.raises(DatabaseError), transaction.atomic():
                attack.on(world)
            with as_owner():
                point = transaction.savepoint()
                append_only.lift(connection, [guards[lifted] for lifted in attack.lifting])
                with pytest.raises(IntegrityError, match=named), transaction.atomic():
                    attack.on(world)
                transaction.savepoint_rollback(point)
    assert everything() == before


@pytest.fixture
def a_guard() -> append_only.Guard:
    return next(guard for guard in append_only.all_guards() if guard.name == "account_currency_fixed")


def test_the_check_finds_all_guards_of_a_migrated_database() -> None:
    assert append_only.missing(connection) == []
    call_command("check", databases=["default"], tags=["database"])


def test_a_probe_asks_for_all_guards_in_few_queries() -> None:
    with CaptureQueriesContext(connection) as queries:
        append_only.missing(connection)
    assert len(queries) <= 3


def test_migrate_makes_the_index_of_a_constraint_anew_only_where_it_differs() -> None:
    guard = next(guard for guard in append_only.all_guards() if guard.name == "binding_no_overlap")
    if connection.vendor == SQLITE:  # has no such constraint, and one writer
        assert SQLITE not in guard.create
        return

    def identity() -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SELECT oid FROM pg_constraint WHERE conname = 'binding_no_overlap'")
            return cursor.fetchone()

    before = identity()
    definition = "EXCLUDE USING gist (int8range(project_id, project_id, '[]') WITH &&)"
    with as_owner():
        append_only.install(connection, [guard])
        assert identity() == before
        append_only.install(connection, [append_only.postgresql_constraint(guard.name, guard.table, definition)])
        assert identity() != before
        assert append_only.missing(connection) == [guard]
        append_only.install(connection, [guard])
    assert append_only.missing(connection) == []


def test_a_guard_that_is_gone_fails_the_check_by_name(a_guard: append_only.Guard) -> None:
    with as_owner():
        append_only.lift(connection, [a_guard])
    with pytest.raises(SystemCheckError, match="guard account_currency_fixed is missing from billing_billingaccount"):
        call_command("check", databases=["default"], tags=["database"])


def test_a_guard_that_is_switched_off_counts_as_missing(a_guard: append_only.Guard) -> None:
    if connection.vendor == SQLITE:  # knows no switch but dropping it
        execute(f"DROP TRIGGER {a_guard.name}")
    else:
        with as_owner():
            execute(f"ALTER TABLE {a_guard.table} DISABLE TRIGGER {a_guard.name}")
    assert append_only.missing(connection) == [a_guard]


def test_a_guard_whose_body_was_replaced_counts_as_missing(a_guard: append_only.Guard) -> None:
    if connection.vendor == SQLITE:
        execute(f"DROP TRIGGER {a_guard.name}")
        execute(f"CREATE TRIGGER {a_guard.name} BEFORE UPDATE ON {a_guard.table} WHEN FALSE BEGIN SELECT 1; END")
    else:
        with as_owner():
            execute(
                f"CREATE OR REPLACE FUNCTION {a_guard.name}() RETURNS trigger LANGUAGE plpgsql"
                f" SET search_path = {append_only.SEARCH_PATH} AS $$ BEGIN RETURN NEW; END $$"
            )
    assert append_only.missing(connection) == [a_guard]


@pytest.mark.parametrize(
    "change",
    [
        "ALTER FUNCTION {name}() RESET search_path",
        "ALTER FUNCTION {name}() SET search_path = pg_temp, public",
        "DROP TRIGGER {name} ON {table};"
        " CREATE TRIGGER {name} BEFORE UPDATE ON {table} FOR EACH ROW WHEN (FALSE) EXECUTE FUNCTION {name}()",
        "DROP TRIGGER {name} ON {table};"
        " CREATE TRIGGER {name} BEFORE UPDATE OF labels ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()",
        "DROP TRIGGER {name} ON {table};"
        " CREATE TRIGGER {name} BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()",
    ],
)
def test_a_guard_that_postgresql_calls_otherwise_counts_as_missing(a_guard: append_only.Guard, change: str) -> None:
    if connection.vendor == SQLITE:  # keeps a trigger as one text
        assert append_only.missing(connection) == []
        return
    with as_owner():
        for statement in change.format(name=a_guard.name, table=a_guard.table).split(";"):
            execute(statement)
    assert append_only.missing(connection) == [a_guard]


@pytest.mark.django_db(transaction=True)
def test_migrate_installs_again_what_a_rebuilt_table_has_lost(a_guard: append_only.Guard) -> None:
    account = make.a_ready_account(make.an_organization())
    # a function made anew is nobody's to call before deploy/postgresql-roles.sql
    refusing = [guard for guard in append_only.all_guards() if not guard.writes]
    with as_owner():
        append_only.lift(connection, refusing)
    applicable = [guard for guard in refusing if connection.vendor in guard.present]
    assert append_only.missing(connection) == applicable
    with as_owner():
        call_command("migrate", verbosity=0)
    assert append_only.missing(connection) == []
    with pytest.raises(IntegrityError, match=a_guard.name):
        update(account, currency_code="EUR")


def test_migrate_drops_a_guard_of_a_version_before() -> None:
    if connection.vendor == SQLITE:  # where all triggers go before each migration
        assert append_only.missing(connection) == []
        return
    connection.check_constraints()
    with as_owner():
        execute(
            "CREATE FUNCTION public.account_purge_date_fixed() RETURNS trigger LANGUAGE plpgsql"
            " AS 'BEGIN RETURN NULL; END';"
            " CREATE TRIGGER account_purge_date_fixed BEFORE UPDATE ON billing_billingaccount"
            " FOR EACH ROW EXECUTE FUNCTION account_purge_date_fixed()"
        )
        assert privileges.strangers(connection) == [
            "the trigger account_purge_date_fixed on billing_billingaccount is none of ours"
        ]
        append_only.install_after_migrate(apps.get_app_config("billing"), "default")
    assert privileges.strangers(connection) == []
    assert append_only.missing(connection) == []


@pytest.mark.django_db(transaction=True)
def test_an_upgrade_rebuilds_tables_in_use_and_guards_them_again() -> None:
    organization = make.an_organization()
    account = make.a_ready_account(organization)
    make.a_binding(make.a_project(organization), account)
    before = everything()
    with as_owner():
        emit_pre_migrate_signal(
            verbosity=0, interactive=False, db="default", plan=[(Migration("0099_next", "billing"), False)]
        )
    if connection.vendor == SQLITE:
        with connection.schema_editor() as editor:
            for label in LEDGER_APPS:
                for model in apps.get_app_config(label).get_models():
                    editor._remake_table(model)  # type: ignore[attr-defined]
    with as_owner():
        call_command("migrate", verbosity=0)
    assert append_only.missing(connection) == []
    assert everything() == before
