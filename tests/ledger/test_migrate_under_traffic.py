"""`migrate` beside a service that goes on: it stands in nobody's way, and leaves what it cannot change as it was."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.apps import apps
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, models
from django.db.migrations.loader import MigrationLoader

from milo import append_only
from milo.migrating import bursts, locks, turns
from milo.migrating.operations import AddIndexConcurrently
from tests.attacks.machinery import SQLITE, execute
from tests.support import make
from tests.support.database import as_owner
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)

GUARD = "account_currency_fixed"
READING, WRITING = "ACCESS SHARE", "ROW EXCLUSIVE"


@pytest.fixture
def guard() -> append_only.Guard:
    return next(guard for guard in append_only.all_guards() if guard.name == GUARD)


@contextmanager
def another() -> Iterator[psycopg.Connection[Any]]:
    """A connection of another process to the database of this test, whose transaction ends with it."""
    of: Any = connection.get_connection_params()
    known = {key: of[key] for key in ("dbname", "user", "password", "host", "port") if of.get(key)}
    with psycopg.connect(**known) as conn:
        yield conn
        conn.rollback()


@contextmanager
def in_use(mode: str) -> Iterator[psycopg.Connection[Any]]:
    """All tables are in use by a transaction that does nothing any more, as of a client that went away."""
    with another() as traffic:
        tables = ", ".join(sorted({guard.table for guard in append_only.all_guards()}))
        traffic.execute(f"LOCK TABLE {tables} IN {mode} MODE")
        yield traffic


def replace_body(name: str) -> None:
    """Another version's function of a guard."""
    with as_owner():
        execute(
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql"
            f" SET search_path = {append_only.SEARCH_PATH} AS $$ BEGIN RETURN NEW; END $$"
        )


@pytest.mark.parametrize("mode", [READING, WRITING])
def test_where_nothing_differs_migrate_waits_for_nobody(mode: str) -> None:
    if connection.vendor == SQLITE:  # one writer at a time, whoever it is
        assert append_only.missing(connection) == []
        return
    with in_use(mode), as_owner():
        call_command("migrate", verbosity=0)
    assert append_only.missing(connection) == []
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("0",)


def test_a_new_body_of_a_guard_is_installed_while_its_table_is_in_use(guard: append_only.Guard) -> None:
    if connection.vendor == SQLITE:
        assert guard.create[SQLITE]
        return
    replace_body(GUARD)
    with in_use(WRITING), as_owner(), locks.brief_waits(connection):
        append_only.install(connection, [guard], pytest.fail)
    assert append_only.missing(connection) == []


def test_a_trigger_is_installed_once_its_table_is_free_and_others_pass_meanwhile(guard: append_only.Guard) -> None:
    if connection.vendor == SQLITE:
        assert guard.create[SQLITE]
        return
    account, told = make.a_ready_account(make.an_organization()), []
    with as_owner():
        execute(f"ALTER TABLE {guard.table} DISABLE TRIGGER {GUARD}")
    with in_use(WRITING) as traffic, another() as waiting:

        def say(line: str) -> None:
            """Between two attempts nobody is in the way of others; then the traffic ends."""
            told.append(line)
            waiting.execute("SET LOCAL lock_timeout = 1")
            waiting.execute(f"UPDATE {guard.table} SET labels = '{{}}' WHERE id = %s", [account.pk])
            waiting.rollback()
            if len(told) == 2:
                traffic.rollback()

        with as_owner(), locks.brief_waits(connection):
            append_only.install(connection, [guard], say)
    assert len(told) == 2
    assert told[0].startswith(f"  guards of {guard.table}: others hold the locks that this needs; trying again in ")
    assert append_only.missing(connection) == []


def test_where_a_table_stays_in_use_migrate_gives_up_by_name_and_the_old_guards_stand(
    guard: append_only.Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    if connection.vendor == SQLITE:
        assert guard.create[SQLITE]
        return
    monkeypatch.setattr(locks, "PATIENCE", timedelta(seconds=0.1))
    other = next(guard for guard in append_only.all_guards() if guard.name == "change_fixed")
    with as_owner():
        for each in (guard, other):
            execute(f"ALTER TABLE {each.table} DISABLE TRIGGER {each.name}")
    with another() as traffic:
        traffic.execute(f"LOCK TABLE {guard.table} IN {WRITING} MODE")
        with (
            as_owner(),
            locks.brief_waits(connection),
            pytest.raises(CommandError, match=f"guards of {guard.table}.*{traffic.info.backend_pid}"),
        ):
            append_only.install(connection, [other, guard])
    assert append_only.missing(connection) == [guard]
    with as_owner():
        append_only.install(connection, [guard])


def test_a_migration_of_two_tables_holds_neither_before_it_has_both() -> None:
    """Whoever has one of them and wants the other met a deadlock, and was the one that PostgreSQL ended."""
    if connection.vendor == SQLITE:  # one writer at a time
        assert append_only.missing(connection) == []
        return
    told: list[str] = []
    with another() as traffic:
        traffic.execute("LOCK TABLE billing_billingaccount IN ROW EXCLUSIVE MODE")

        def say(line: str) -> None:
            told.append(line)
            traffic.execute("SET LOCAL lock_timeout = 1")
            traffic.execute("LOCK TABLE kube_change IN ROW EXCLUSIVE MODE")
            traffic.rollback()

        with as_owner(), locks.brief_waits(connection), bursts.in_bursts(connection, say):
            with connection.schema_editor(atomic=True) as editor:
                for table in ("kube_change", "billing_billingaccount"):
                    editor.execute(f"ALTER TABLE {table} ADD COLUMN added integer")
                with another() as reader:
                    reader.execute("SET LOCAL lock_timeout = 1")
                    reader.execute("SELECT count(*) FROM kube_change")
            execute("ALTER TABLE kube_change DROP COLUMN added; ALTER TABLE billing_billingaccount DROP COLUMN added")
    assert len(told) == 1


def test_what_a_migration_asks_of_the_database_sees_the_statements_before() -> None:
    if connection.vendor == SQLITE:
        assert append_only.missing(connection) == []
        return
    with as_owner(), bursts.in_bursts(connection, pytest.fail), connection.schema_editor(atomic=True) as editor:
        editor.execute("CREATE TEMPORARY TABLE made (number integer)")
        editor.execute("INSERT INTO made VALUES (%s)", [7])
        with connection.cursor() as cursor:
            cursor.execute("SELECT number FROM made")
            assert cursor.fetchone() == (7,)
        editor.execute("DROP TABLE made")


def test_an_index_that_was_interrupted_is_made_anew_and_waits_for_locks_end_as_before() -> None:
    if connection.vendor == SQLITE:
        assert append_only.missing(connection) == []
        return
    operation = AddIndexConcurrently("charge", models.Index(fields=["due_date", "id"], name="charge_by_day"))
    state = MigrationLoader(connection).project_state()
    index = "indexrelid = 'charge_by_day'::regclass"
    with as_owner():
        execute(f"UPDATE pg_index SET indisvalid = false WHERE {index}")
        with locks.brief_waits(connection), connection.schema_editor(atomic=False) as editor:
            operation.database_forwards("billing", editor, state, state)
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT indisvalid, current_setting('lock_timeout') FROM pg_index WHERE {index}")
                assert cursor.fetchone() == (True, "500ms")
            # one that can be used stays, where a migration of several was interrupted
            operation.database_forwards("billing", editor, state, state)


def test_a_second_migrate_waits_for_the_first_and_says_so() -> None:
    order: list[str] = []

    def turn(name: str) -> Callable[[], None]:
        def take() -> None:
            with turns.one_at_a_time(connection, order.append):
                order.append(f"{name} begins")
                time.sleep(0.3)
                order.append(f"{name} ends")

        return take

    assert at_once([turn("one"), turn("another")]) == [None, None]
    said = "  another migrate is at work; waiting until it has ended"
    (first, second) = (line.split()[0] for line in order if line.endswith("begins"))
    assert [line for line in order if line != said] == [
        f"{first} begins",
        f"{first} ends",
        f"{second} begins",
        f"{second} ends",
    ]
    # SQLite locks the folder, which files of tests beside this one share: the first may have waited too
    assert order.count(said) in ((1,) if connection.vendor == "postgresql" else (1, 2))


def test_the_role_of_the_application_is_told_who_migrates() -> None:
    if connection.vendor == SQLITE:  # knows no roles
        call_command("migrate", plan=True, verbosity=0)
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableowner FROM pg_tables WHERE tablename = 'django_migrations'")
        (owner,) = cursor.fetchone()
    with pytest.raises(CommandError, match=rf"^the role milo_application cannot migrate: .* DATABASE_URL of {owner};"):
        call_command("migrate", verbosity=0)
    # which changes nothing, and so is anybody's
    call_command("migrate", plan=True, verbosity=0)
    call_command("migrate", check_unapplied=True, verbosity=0)


def fail_half_way() -> None:
    with append_only.put_back_on_failure(connection):
        append_only.lift_before_migrate("default", [object()])
        gone = [guard for guard in append_only.all_guards() if connection.vendor == SQLITE and SQLITE in guard.create]
        assert append_only.missing(connection) == gone
        raise RuntimeError


def test_a_migrate_that_fails_leaves_the_guards_that_stood() -> None:
    with as_owner(), pytest.raises(RuntimeError):
        fail_half_way()
    assert append_only.missing(connection) == []


def test_a_guard_that_is_declared_no_more_goes_without_a_migration_on_both_engines() -> None:
    with as_owner():
        if connection.vendor == SQLITE:
            execute("CREATE TRIGGER former BEFORE DELETE ON kube_change BEGIN SELECT RAISE(ABORT, 'former'); END")
        else:
            execute(
                "CREATE FUNCTION public.former() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
                " CREATE TRIGGER former BEFORE DELETE ON kube_change FOR EACH ROW EXECUTE FUNCTION former()"
            )
        append_only.install_after_migrate(apps.get_app_config("kube"), "default", verbosity=0)
        catalog = "sqlite_master WHERE name" if connection.vendor == SQLITE else "pg_trigger WHERE tgname"
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {catalog} = 'former'")
            assert cursor.fetchone() == (0,)
        if connection.vendor != SQLITE:
            execute("DROP FUNCTION public.former()")
    assert append_only.missing(connection) == []
