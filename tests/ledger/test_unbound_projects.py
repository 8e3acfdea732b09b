"""The table of unbound projects is at each moment what projects and bindings say, whoever writes them."""

import importlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from billing.models import BillingAccount, BillingAccountBinding, UnboundProject
from billing.models.unbound_project import unbound_projects
from billing.services import default_accounts, unbound
from billing.services.default_accounts import set_default
from billing.services.payer_changes.facts import move_due
from billing.services.projects import archive_project
from billing.tasks import inspect_whole_ledger
from milo import append_only, audit
from milo.append_only import declared
from milo.ledger.models import Inspection
from projects.models import Organization, Project
from projects.services.organizations import OrganizationSpec
from tests.attacks.machinery import SQLITE, execute, insert, update
from tests.support import make, tamper
from tests.support.database import as_owner
from tests.support.payer_changes import a_payer_change

pytestmark = pytest.mark.django_db
TABLE = "billing_unboundproject"
migration: Any = importlib.import_module("billing.migrations.0054_fill_unbound_projects")


def kept() -> list[str]:
    """Assert that the table is what all projects and all bindings say; return the names in it, oldest first."""
    paid_for = set(BillingAccountBinding.objects.filter(phase="Active").values_list("project", flat=True))
    active = dict(Project.objects.filter(phase="Active").values_list("pk", "created_at"))
    rows = dict(UnboundProject.objects.values_list("pk", "created_at"))
    assert rows == {pk: at for pk, at in active.items() if pk not in paid_for}
    assert set(unbound_projects().values_list("pk", flat=True)) == set(rows)
    assert list(unbound.differences()) == []
    return list(UnboundProject.objects.order_by("created_at").values_list("project__name", flat=True))


@pytest.fixture
def accounts(organization: Organization) -> list[BillingAccount]:
    return [make.a_ready_account(organization, name) for name in ("us", "eu")]


def test_services_keep_it(organization: Organization, accounts: list[BillingAccount]) -> None:
    us, eu = accounts
    web, shop = (make.a_project(organization, name) for name in ("web", "shop"))
    assert kept() == ["web", "shop"]
    make.a_binding(web, us)
    assert kept() == ["shop"]
    make.a_binding(web, eu)
    assert kept() == ["shop"]
    a_payer_change(us, web, shop, effective_at=None)
    move_due()
    assert kept() == []
    archive_project(web.pk, actor=make.PLATFORM)
    with audit.transaction():
        search = make.a_project(organization, "search")
        assert kept() == ["search"]
    assert default_accounts.default_of(organization) is None
    set_default(organization.pk, OrganizationSpec(), "eu", actor=make.PLATFORM)
    make.a_project(organization, "mail")
    assert kept() == ["search"]
    archive_project(search.pk, actor=make.PLATFORM)
    assert kept() == []


def test_sql_around_the_services_keeps_it(organization: Organization, accounts: list[BillingAccount]) -> None:
    us, _eu = accounts
    web = make.a_project(organization, "web")
    insert(web, name="copy")
    insert(web, name="old", phase="Archived")
    copy = Project.objects.get(name="copy")
    assert kept() == ["web", "copy"]
    first = make.a_binding(web, us)
    second = insert(first, project_id=copy.pk)
    assert kept() == []
    # nobody takes over, which no guard sees
    ended = first.established_at + timedelta(microseconds=1)
    update(second, phase="Superseded", ended_at=ended, end_reason="Superseded")
    assert kept() == ["copy"]
    insert(first, project_id=copy.pk, established_at=ended, supersedes_id=second.pk)
    update(first, phase="Ended", ended_at=ended, end_reason="ProjectArchived")
    assert kept() == ["web"]
    update(web, display_name="Web")
    assert kept() == ["web"]
    insert(first, project_id=web.pk, phase="Ended", established_at=ended, ended_at=ended + timedelta(seconds=1))
    assert kept() == ["web"]
    update(web, phase="Archived")
    assert kept() == []


def test_a_bind_asks_no_more_of_the_database(organization: Organization, accounts: list[BillingAccount]) -> None:
    web = make.a_project(organization, "web")
    with CaptureQueriesContext(connection) as queries:
        make.a_binding(web, accounts[0])
    assert [query["sql"] for query in queries if TABLE in query["sql"]] == []


def test_a_row_too_many_and_one_too_few_are_found_by_name(
    organization: Organization, accounts: list[BillingAccount]
) -> None:
    web, shop = (make.a_project(organization, name) for name in ("web", "shop"))
    make.a_binding(web, accounts[0])
    assert inspect_whole_ledger() == 0
    with tamper.guards_off():
        UnboundProject.objects.all()._raw_delete("default")
        UnboundProject.objects.create(project=web, created_at=web.created_at)
    assert inspect_whole_ledger() == 2
    found = Inspection.objects.get(name="unbound")
    assert found.message.startswith(f"{shop}: nobody pays for it")
    assert f"; {web}: is among the unbound projects" in found.message
    with pytest.raises(CommandError):
        call_command("ledger", "unbound")


@pytest.fixture
def before(organization: Organization, accounts: list[BillingAccount]) -> Iterator[list[Project]]:
    """A project that has a payer and two without, as before the migration: no triggers, and an empty table."""
    projects = [make.a_project(organization, name) for name in ("paid", "web", "shop")]
    make.a_binding(projects[0], accounts[0])
    triggers = [guard for guard in append_only.all_guards() if TABLE in guard.body or guard.table == TABLE]
    with as_owner():
        append_only.lift(connection, triggers)
        execute(f"DELETE FROM {TABLE}")
        yield projects
        append_only.install(connection, triggers)


def migrate(*operations: Any) -> None:
    with connection.schema_editor(atomic=False) as editor:
        for operation in operations:
            operation(apps, editor)


@pytest.mark.django_db(transaction=True)
def test_the_migration_makes_the_triggers_as_declared_and_the_rows(before: list[Project]) -> None:
    migrate(migration.install, migration.FILL.code, migration.FILL.code)
    assert kept() == ["web", "shop"]
    if connection.vendor != SQLITE:
        assert [guard.table for guard in append_only.missing(connection)] == [TABLE] * 3


@pytest.mark.django_db(transaction=True)
def test_the_migration_waits_for_nobody_and_lists_no_project_that_is_bound_meanwhile(
    before: list[Project], accounts: list[BillingAccount]
) -> None:
    _paid, web, shop = before
    if connection.vendor == SQLITE:  # has one writer, so it is bound before
        make.a_binding(web, accounts[1])
        assert UnboundProject.objects.count() == 0
        migrate(migration.install, migration.FILL.code)
        assert kept() == ["shop"]
        return
    migrate(migration.install)

    def fill() -> None:
        try:
            with as_owner():
                migrate(migration.FILL.code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with audit.transaction():
            make.a_binding(web, accounts[1])
            filling = pool.submit(fill)
            until = time.monotonic() + 10
            while not UnboundProject.objects.filter(pk=shop.pk).exists():
                assert time.monotonic() < until
                time.sleep(0.01)
            assert not filling.done()
        filling.result(timeout=30)
    assert kept() == ["shop"]


@pytest.mark.django_db(transaction=True)
def test_what_a_version_before_left_out_is_made_good_when_this_one_comes_back(
    organization: Organization, accounts: list[BillingAccount], monkeypatch: pytest.MonkeyPatch
) -> None:
    web, shop, _search = (make.a_project(organization, name) for name in ("web", "shop", "search"))
    before = {
        label: {name: guard for name, guard in guards.items() if not name.startswith("unbound_project")}
        for label, guards in declared._declared.items()
    }
    with as_owner():
        with monkeypatch.context() as version_before:
            version_before.setattr(declared, "_declared", before)
            call_command("migrate", verbosity=0)
        make.a_binding(web, accounts[0])
        archive_project(shop.pk, actor=make.PLATFORM)
        make.a_project(organization, "mail")
        assert len(list(unbound.differences())) == 3
        call_command("migrate", verbosity=0)
    assert append_only.missing(connection) == []
    assert kept() == ["search", "mail"]


@pytest.mark.django_db(transaction=True)
def test_projects_are_created_without_the_table_and_are_in_it_when_it_comes_back(organization: Organization) -> None:
    with as_owner():
        try:
            call_command("migrate", "billing", "0052", verbosity=0)
            assert TABLE not in connection.introspection.table_names()
            make.a_project(organization, "web")
        finally:
            call_command("migrate", "billing", verbosity=0)
    assert append_only.missing(connection) == []
    assert kept() == ["web"]
