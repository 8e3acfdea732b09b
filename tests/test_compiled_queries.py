"""Compiled queries: they answer as the querysets that they are made of, on the Django that this was checked with."""

import sys
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import django
import pytest
from django.db import connection, models, transaction
from django.db.models import Q
from django.db.models.sql.compiler import SQLCompiler
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing.models import BillingAccount, BillingAccountBinding, PayerChangeItem
from milo.compiled_queries import CompiledQuery, Insert, Param, Update
from milo.kube.kinds import Kind, all_kinds
from milo.kube.models import Change
from projects.models import Project
from tests.support import make
from tests.support.payer_changes import a_payer_change
from tests.support.threads import at_once

CHECKED_WITH = (5, 2)
Build = Callable[[Any], Any]


def by_project(project: Any) -> Any:
    return BillingAccountBinding.objects.filter(project=project)


SHAPES: dict[str, tuple[Build, Callable[[BillingAccountBinding], Any]]] = {
    "objects": (by_project, lambda binding: binding.project_id),
    "some columns": (lambda value: by_project(value).only("name"), lambda binding: binding.project_id),
    "related objects": (
        lambda value: by_project(value).select_related("account__organization"),
        lambda binding: binding.project_id,
    ),
    "related lists": (
        lambda value: Project.objects.filter(pk=value).prefetch_related("bindings"),
        lambda binding: binding.project_id,
    ),
    "an annotation": (
        lambda value: Project.objects.with_revision().filter(name=value),
        lambda binding: binding.project.name,
    ),
    "dictionaries": (
        lambda value: by_project(value).values("uid", "established_at"),
        lambda binding: binding.project_id,
    ),
    "tuples": (lambda value: by_project(value).values_list("labels", "uid"), lambda binding: binding.project_id),
    "values": (
        lambda value: by_project(value).values_list("established_at", flat=True),
        lambda binding: binding.project_id,
    ),
    "a slice": (lambda value: by_project(value).values("pk")[:1], lambda binding: binding.project_id),
    "two conditions": (
        lambda value: BillingAccountBinding.objects.filter(Q(project=value) | Q(account__name="none")),
        lambda binding: binding.project_id,
    ),
    "a list of values": (
        lambda value: BillingAccountBinding.objects.filter(pk__in=[0, value]),
        lambda binding: binding.pk,
    ),
    "an instant": (
        lambda value: BillingAccountBinding.objects.filter(established_at__gte=value),
        lambda binding: binding.established_at,
    ),
    "a day": (
        lambda value: BillingAccountBinding.objects.filter(established_at__date__gte=value),
        lambda binding: binding.established_at.date(),
    ),
    "nothing": (by_project, lambda _binding: 0),
}


def described(row: Any) -> Any:
    """Return what was loaded of a row: of objects the columns, annotations, related objects and related lists."""
    if not isinstance(row, models.Model):
        return row
    lists = getattr(row, "_prefetched_objects_cache", {})
    return (
        _loaded(row),
        {name: described(other) for name, other in row._state.fields_cache.items()},
        {name: [_loaded(other) for other in rows] for name, rows in lists.items()},
    )


def _loaded(row: models.Model) -> Any:
    values = {name: value for name, value in vars(row).items() if not name.startswith("_")}
    return type(row), row._state.adding, row._state.db, values


@pytest.fixture
def binding() -> BillingAccountBinding:
    organization = make.an_organization()
    make.a_binding(make.a_project(organization), make.a_ready_account(organization))
    return make.a_binding(make.a_project(organization), make.a_ready_account(organization))


def test_this_was_checked_with_the_version_of_django_that_is_installed() -> None:
    assert django.VERSION[:2] == CHECKED_WITH, (
        f"Django {django.get_version()} is installed, and milo/compiled_queries.py was checked with "
        f"{CHECKED_WITH[0]}.{CHECKED_WITH[1]}. Go through the section "
        '"What we rely on inside Django" of docs/architecture.md, run this file on both engines, '
        "and then change CHECKED_WITH."
    )


@pytest.mark.django_db
@pytest.mark.parametrize("shape", SHAPES)
def test_a_compiled_query_answers_as_its_queryset(shape: str, binding: BillingAccountBinding) -> None:
    build, value_of = SHAPES[shape]
    query, value = CompiledQuery(lambda: build(Param("value"))), value_of(binding)
    with CaptureQueriesContext(connection) as ordinary:
        expected = [described(row) for row in build(value)]
    assert bool(expected) is (shape != "nothing")
    for _ in range(2):
        with CaptureQueriesContext(connection) as compiled:
            rows = query.fetch(value=value)
        assert [described(row) for row in rows] == expected
        assert len(compiled) == len(ordinary)


@pytest.mark.django_db
def test_django_writes_the_sql_once(binding: BillingAccountBinding, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[int] = []

    def build() -> Any:
        built.append(1)
        return by_project(Param("project")).select_related("account")

    query = CompiledQuery(build)
    query.fetch(project=0)
    monkeypatch.setattr(SQLCompiler, "as_sql", None)
    with pytest.raises(TypeError):
        list(by_project(binding.project_id))
    assert query.fetch(project=binding.project_id) == [binding]
    assert built == [1]


@pytest.mark.django_db
def test_no_row_is_kept(binding: BillingAccountBinding) -> None:
    query = CompiledQuery(lambda: Project.objects.filter(pk=Param("project")).values_list("labels", flat=True))
    objects = CompiledQuery(lambda: by_project(Param("project")))
    first = objects.first(project=binding.project_id)
    assert objects.first(project=binding.project_id) is not first
    query.fetch(project=binding.project_id)[0]["changed"] = "by the reader"
    assert query.fetch(project=binding.project_id) == [{}]
    assert query.first(project=0) is None


@pytest.mark.django_db
def test_the_value_none_equals_nothing(binding: BillingAccountBinding) -> None:
    query = CompiledQuery(lambda: BillingAccountBinding.objects.filter(supersedes=Param("superseded")))
    assert binding.supersedes_id is None
    assert query.fetch(superseded=None) == []


@pytest.mark.django_db
def test_a_missing_value_is_refused(binding: BillingAccountBinding) -> None:
    query = CompiledQuery(lambda: by_project(Param("project")))
    with pytest.raises(KeyError, match="project"):
        query.fetch(account=binding.account_id)


@pytest.mark.django_db(transaction=True)
def test_threads_that_share_a_query_get_their_own_rows() -> None:
    organization = make.an_organization()
    names = [make.a_project(organization).name for _ in range(6)]
    query = CompiledQuery(lambda: Project.objects.select_related("organization").filter(name=Param("name")))

    def fetch(name: str) -> list[str]:
        return [row.name for _ in range(50) for row in query.fetch(name=name)]

    fetched = at_once([lambda name=name: fetch(name) for name in names])  # type: ignore[misc]
    assert fetched == [[name] * 50 for name in names]


@pytest.mark.django_db(transaction=True)
def test_rows_are_locked_inside_a_transaction_only() -> None:
    query = CompiledQuery(lambda: BillingAccount.objects.filter(name=Param("name")).locked())
    with pytest.raises(TransactionManagementError):
        query.fetch(name="us")


@pytest.mark.django_db
def test_rows_are_locked_as_the_queryset_says() -> None:
    """SQLite has one writer, and no locks of rows."""
    query = CompiledQuery(lambda: BillingAccount.objects.filter(name=Param("name")).locked())
    with CaptureQueriesContext(connection) as sent:
        query.fetch(name="us")
    locking = 'FOR NO KEY UPDATE OF "billing_billingaccount"'
    assert sent[0]["sql"].endswith(locking) == (connection.vendor == "postgresql")


def queries_of_the_product() -> dict[str, CompiledQuery[Any]]:
    """Return each compiled query of a module, and those of each kind."""
    found: dict[str, Any] = {
        f"{module}.{name}": value
        for module, loaded in list(sys.modules.items())
        if module.split(".")[0] in {"milo", "projects", "billing"}
        for name, value in vars(loaded).items()
    }
    for kind in all_kinds():
        for name, value in vars(Kind).items():
            if isinstance(value, django.utils.functional.cached_property):
                found[f"{kind.plural}.{name}"] = getattr(kind, name)
    return {name: value for name, value in found.items() if isinstance(value, CompiledQuery)}


@pytest.mark.django_db
def test_no_compiled_query_has_read_a_clock() -> None:
    queries = queries_of_the_product()
    assert len(queries) > 15
    for name, query in queries.items():
        _queryset, _compiler, _sql, parameters = query._compiled
        assert any(isinstance(value, Param) for value in parameters), f"{name} is asked nothing"
        assert not [value for value in parameters if isinstance(value, date | datetime)], f"{name} has read a clock"


def a_change(number: int) -> Change:
    return Change(
        resource_version=10**9 + number,
        at=timezone.now() - timedelta(days=number),
        type=Change.Type.ADDED,
        resource="projects.resources.milo.io",
        organization="acme-corp",
        name=f"project-{number}",
        uid="00000000-0000-8000-8000-000000000000",
        manifest={"metadata": {"name": f"Münze {number}", "labels": {"quote": "'%s\""}}},
        actor="user:operator",
        message="100 %",
    )


def inserted(insert: Callable[[list[Change]], object], rows: list[Change]) -> list[dict[str, Any]]:
    """Return what is stored once `insert` has added `rows`; it is rolled back, for no revision may be deleted."""
    with transaction.atomic():
        insert(rows)
        stored: Any = Change.objects.filter(resource_version__gte=10**9).order_by("resource_version").values()
        values = list(stored)
        transaction.set_rollback(True)
    return values


@pytest.mark.django_db
@pytest.mark.parametrize("count", [0, 1, 2, 200, 201, 450])
def test_rows_are_inserted_as_bulk_create_does(count: int) -> None:
    rows = [a_change(number) for number in range(count)]
    stored = inserted(Insert(Change), rows)
    assert len(stored) == count
    assert stored == inserted(Change.objects.bulk_create, rows)


@pytest.mark.django_db
@pytest.mark.parametrize("count", [0, 1, 3])
def test_rows_are_updated_as_bulk_update_does(count: int) -> None:
    names = ("phase", "reason", "effective_at", "settled_at", "message", "binding")
    account = make.a_ready_account(make.an_organization())
    projects = [make.a_project(account.organization) for _number in range(count + 1)]
    items = list(PayerChangeItem.objects.filter(change=a_payer_change(account, *projects)).order_by("pk"))
    for number, item in enumerate(items[:count]):
        item.settle("Failed", timezone.now(), reason="NameTaken", message=f"Münze {number} '%s\" 100 %")

    def updated(update: Callable[[list[PayerChangeItem]], object]) -> list[dict[str, Any]]:
        with transaction.atomic():
            update(items[:count])
            stored = [dict(row) for row in PayerChangeItem.objects.order_by("pk").values()]
            transaction.set_rollback(True)
        return stored

    assert updated(Update(PayerChangeItem, *names)) == updated(
        lambda rows: PayerChangeItem.objects.bulk_update(rows, names)
    )
    assert [each["phase"] for each in updated(Update(PayerChangeItem, *names))].count("Pending") == 1
