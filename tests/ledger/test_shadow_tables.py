"""Temporary tables in the place of ours: PostgreSQL looks for them first, and guards must not.

The shadows are views that fail when anybody reads them, so a guard that looks at one does not refuse by its name.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.apps import apps
from django.db import DatabaseError, IntegrityError, connection, transaction

from billing.models import BillingAccount
from milo import append_only
from milo.kube.models import Change
from tests.attacks import ATTACKS
from tests.attacks.machinery import SQLITE, execute
from tests.support import make
from tests.support.database import as_owner
from tests.support.ledger import everything

pytestmark = pytest.mark.django_db
TABLES = sorted(model._meta.db_table for model in apps.get_models(include_auto_created=True))
_NAMED = re.compile(rf'\b(UPDATE|INTO|FROM|JOIN|TRUNCATE|TABLE|ON) "?({"|".join(TABLES)})"?(?![\w.])')


def _past_the_shadows(call: Callable[..., Any], sql: str, *rest: Any) -> Any:
    """Name the schema of each table, as an attacker does whose own tables stand in the way."""
    return call(_NAMED.sub(r"\1 public.\2", sql), *rest)


@contextmanager
def shadows(*columns_of: str) -> Iterator[None]:
    for table in columns_of:
        execute(f"CREATE TEMPORARY VIEW {table} AS SELECT * FROM public.{table} WHERE 1 / (random() * 0)::int = 1")
    with connection.execute_wrapper(_past_the_shadows):
        yield


def test_every_function_of_ours_has_a_search_path_that_ends_with_temporary_tables_and_names_schemas() -> None:
    if connection.vendor == SQLITE:  # attaches no schema by itself
        assert append_only.missing(connection) == []
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT proname, proconfig, prosrc FROM pg_proc WHERE pronamespace = to_regnamespace('public')"
            " AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')"
        )
        functions = cursor.fetchall()
    assert len(functions) > 50
    for name, settings, body in functions:
        assert f"search_path={append_only.SEARCH_PATH}" in (settings or []), name
        unqualified = re.findall(rf"(?<![\w.\"'])(?:{'|'.join(TABLES)})\b(?!\.)", re.sub(r"'(?:[^']|'')*'", "''", body))
        assert unqualified == [], name


@pytest.mark.parametrize(
    "build", dict.fromkeys(build for build, _ in ATTACKS.values()), ids=lambda build: build.__module__
)
def test_no_guard_looks_at_a_temporary_table(build: Callable[[], Any], subtests: pytest.Subtests) -> None:
    if connection.vendor == SQLITE:
        # a trigger of the main database does not see temporary tables there
        execute("CREATE TEMPORARY TABLE ledger_redaction (x)")
        assert append_only.missing(connection) == []
        execute("DROP TABLE temp.ledger_redaction")
        return
    world, guards = build(), {guard.name: guard for guard in append_only.all_guards()}
    before = everything()
    with shadows(*TABLES):
        for name, (whose, attacks) in ATTACKS.items():
            if whose is not build or name not in guards:
                continue
            # the same function refuses every column of a guard, and tests/ledger/test_guards.py tries each
            own = [attack for attack in attacks if attack.only != SQLITE]
            for attack in own[:1] + own[1:][-1:]:
                with subtests.test(name), as_owner():
                    point = transaction.savepoint()
                    append_only.lift(connection, [guards[lifted] for lifted in attack.lifting])
                    named = re.compile(attack.says.get(connection.vendor, rf"\b{name}\b"))
                    with pytest.raises(IntegrityError, match=named), transaction.atomic():
                        attack.on(world)
                    transaction.savepoint_rollback(point)
    for table in TABLES:
        execute(f"DROP VIEW pg_temp.{table}")
    assert everything() == before


def _stand_in(table: str) -> None:
    execute(f"CREATE TEMPORARY TABLE {table} AS SELECT * FROM public.{table}")


def test_a_redaction_of_ones_own_blanks_no_history() -> None:
    make.a_ready_account(make.an_organization(), display_name="Erika Example")
    if connection.vendor == SQLITE:
        return _sqlite_knows_no_shadow()
    past = BillingAccount.history.model._meta.db_table
    execute('CREATE TEMPORARY TABLE ledger_redaction ("table" text, "row" bigint)')
    execute(f"INSERT INTO pg_temp.ledger_redaction SELECT '{past}', history_id FROM {past}")
    before = everything_of((past,))
    with pytest.raises(IntegrityError, match="_fixed"), transaction.atomic():
        execute(f"UPDATE {past} SET display_name = '[purged]'")
    assert everything_of((past,)) == before
    execute("DROP TABLE pg_temp.ledger_redaction")


def test_a_watermark_of_ones_own_deletes_no_revision() -> None:
    make.a_ready_account(make.an_organization())
    if connection.vendor == SQLITE:
        return _sqlite_knows_no_shadow()
    for table in ("kube_counter", "kube_change"):
        _stand_in(table)
    execute("UPDATE pg_temp.kube_counter SET compacted = 1000000000")
    execute("UPDATE pg_temp.kube_change SET resource_version = resource_version + 1000")
    with pytest.raises(IntegrityError, match="change_deleted_once_compacted"), transaction.atomic():
        execute("DELETE FROM public.kube_change")
    for table in ("kube_counter", "kube_change"):
        execute(f"DROP TABLE pg_temp.{table}")
    assert Change.objects.count() == 2


def test_accounts_of_ones_own_bind_no_foreign_project() -> None:
    organization = make.an_organization()
    binding = make.a_binding(make.a_project(organization), make.a_ready_account(organization))
    foreign = make.a_project(make.an_organization())
    make.in_phase(binding.account, "Suspended")
    if connection.vendor == SQLITE:
        return _sqlite_knows_no_shadow()
    tables = ("projects_project", "billing_billingaccount", "billing_billingaccountbinding")
    for table in tables:
        _stand_in(table)
    execute("UPDATE pg_temp.billing_billingaccount SET phase = 'Ready'")
    execute(f"UPDATE pg_temp.projects_project SET organization_id = {organization.pk}")
    execute("DELETE FROM pg_temp.billing_billingaccountbinding")
    columns = [str(column.column) for column in binding._meta.concrete_fields if column.column != "id"]
    replaced = {"uid": "gen_random_uuid()", "name": "'forged'", "project_id": str(foreign.pk)}
    selected = ", ".join(replaced.get(column, column) for column in columns)
    before = everything_of(tables)
    with pytest.raises(DatabaseError, match="binding_"), transaction.atomic():
        execute(
            f"INSERT INTO public.billing_billingaccountbinding ({', '.join(columns)})"
            f" SELECT {selected} FROM public.billing_billingaccountbinding"
        )
    assert everything_of(tables) == before
    for table in tables:
        execute(f"DROP TABLE pg_temp.{table}")


def everything_of(tables: tuple[str, ...]) -> list[Any]:
    with connection.cursor() as cursor:
        found = []
        for table in tables:
            cursor.execute(f"SELECT * FROM public.{table} ORDER BY 1")
            found.append(cursor.fetchall())
        return found


def _sqlite_knows_no_shadow() -> None:
    """A trigger of SQLite reads the tables of its own database, which the guards' presence proves."""
    assert append_only.missing(connection) == []
