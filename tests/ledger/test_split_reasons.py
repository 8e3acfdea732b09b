"""An upgrade gives the message of a history row a column of its own, and going back takes it away again."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from milo import audit
from milo.audit.operations import SplitReasons
from milo.kube.models import Resource
from milo.ledger import seals
from milo.ledger.verification import verify
from projects.models import Project
from tests.support import make, tamper
from tests.support.database import as_owner

PAST = Project.history.model
TABLE = PAST._meta.db_table


@contextmanager
def migrating() -> Iterator[Any]:
    """The owner migrates inside; on SQLite triggers are away for as long (milo/append_only)."""
    with as_owner() if connection.vendor == "postgresql" else tamper.guards_off():
        yield SimpleNamespace(connection=connection)


def said() -> list[tuple[str, str]]:
    return list(PAST.objects.order_by("history_id").values_list("history_change_reason", "history_change_message"))


@pytest.fixture
def renamed_project(project: Project) -> Project:
    """A project renamed for a reason that has a colon, then for one without a message; all is sealed."""
    with audit.transaction():
        audit.save_as(make.PLATFORM, project, reason="ProjectRevised", why="renamed: twice")
        audit.save_as(make.PLATFORM, project, reason="ProjectRevised")
    seals.seal()
    # PostgreSQL changes no table for which deferred constraints are left to check
    connection.check_constraints()
    return project


def test_rows_of_the_version_before_are_split_and_verify_as_they_were_sealed(renamed_project: Project) -> None:
    before = said()
    assert before[-2:] == [("ProjectRevised", "renamed: twice"), ("ProjectRevised", "")]
    operation = SplitReasons(TABLE)
    with migrating() as editor:
        operation.join(editor)
        assert said()[-2:] == [("ProjectRevised: renamed: twice", ""), ("ProjectRevised", "")]
        for _again in range(2):
            operation.split(editor)
            assert said() == before
    assert verify().faults == []


def test_the_guard_of_postgresql_stands_again_after_the_split(renamed_project: Project) -> None:
    with as_owner():
        if connection.vendor == "postgresql":
            SplitReasons(TABLE).split(SimpleNamespace(connection=connection))
        for column in ("history_change_reason", "history_change_message"):
            with pytest.raises(IntegrityError, match="history_of_project_fixed"), transaction.atomic():
                PAST.objects.update(**{column: "Forged"})
    assert verify().faults == []


@pytest.mark.django_db
def test_what_the_version_before_writes_meanwhile_is_split_by_the_database(renamed_project: Project) -> None:
    if connection.vendor == "sqlite":
        return  # one process alone serves there
    newest = renamed_project.history.latest()
    columns = [column.column for column in PAST._meta.concrete_fields if not column.primary_key]
    given = {
        "history_change_reason": "'ProjectRevised: renamed: again'",
        "history_date": "clock_timestamp()",
    }
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {TABLE} ({', '.join(columns)})"
            f" SELECT {', '.join(given.get(name, name) for name in columns)} FROM {TABLE} WHERE history_id = %s",
            [newest.pk],
        )
    assert said()[-1] == ("ProjectRevised", "renamed: again")


def kinds(base: type[Resource] = Resource) -> list[type[Resource]]:
    return [kind for kind in base.__subclasses__() for kind in ([kind] if not kind._meta.abstract else kinds(kind))]


@pytest.mark.django_db
@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_each_kind_names_the_constraint_that_a_taken_name_breaks(kind: type[Resource]) -> None:
    """Two acts at once pass the check before: the second is told what the first would have been told."""
    if connection.vendor == "sqlite":
        assert kind.name_constraint
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_constraint WHERE conname = %s AND contype = 'u' AND conrelid = %s::regclass",
            [kind.name_constraint, kind._meta.db_table],
        )
        assert cursor.fetchone() == (1,)
