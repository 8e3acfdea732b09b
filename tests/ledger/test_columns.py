"""What each model says of its columns: of all of them, and the database holds to it, whoever writes."""

from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, models, transaction

from billing.models import Notice, Suspension
from billing.services.payer_changes.facts import move_due
from milo import append_only, audit
from milo.columns import Columns, Fixed
from milo.identity.models import PasswordLink, SavedFilter, ServiceToken
from tests.attacks import past
from tests.attacks.machinery import update
from tests.support import make
from tests.support.database import as_owner
from tests.support.payer_changes import a_payer_change

OURS = [model for model in apps.get_models() if model.__module__.partition(".")[0] in {"milo", "billing", "projects"}]
GUARDED = {guard.table for guard in append_only.all_guards()}
# of which no row is ever changed
AS_WRITTEN = {
    guard.table for guard in append_only.all_guards() if "UPDATE" in guard.forbids and not guard.forbids_columns
}
HISTORIES = {records.model_of(model) for model, records in audit.histories().items()}
SAID: list[Any] = [model for model in OURS if model._meta.db_table in GUARDED and model not in HISTORIES]
FIXED = [(model, part) for model in SAID if hasattr(model, "columns") for part in model.columns.fixed]


@pytest.mark.once
@pytest.mark.parametrize("model", SAID, ids=lambda model: model.__name__)
def test_something_is_said_of_every_column_of_a_guarded_table(model: Any) -> None:
    columns: Columns = getattr(model, "columns", Columns.of())
    names = {str(column.column) for column in model._meta.concrete_fields}
    if model._meta.db_table in AS_WRITTEN:
        assert not columns.fixed
        assert not columns.free
        assert set(columns.personal) <= names
    else:
        assert columns.unclassified(names) == set()


@pytest.mark.once
def test_guarded_tables_of_libraries_are_these_two() -> None:
    """Django changes any column of a user, whose history is sealed; an entry of the admin's log is kept as written."""
    others = GUARDED - {model._meta.db_table for model in OURS}
    assert others == {"auth_user", "django_admin_log"}
    assert "django_admin_log" in AS_WRITTEN


@pytest.mark.once
def test_free_is_what_is_fixed_at_no_time() -> None:
    fixed = [(model, column) for model, part in FIXED for column in part.columns]
    assert [(model, column) for model, column in fixed if column in model.columns.free] == []


def other(column: Any) -> str:
    """SQL of a value that the column has not."""
    name = f'"{column.column}"'
    if isinstance(column, models.UUIDField):
        return "'00000000000000000000000000000001'"
    if isinstance(column, models.BooleanField):
        return f"NOT {name}"
    if isinstance(column, models.DateTimeField | models.DateField):
        return "'2001-02-03'"
    if isinstance(column, models.JSONField):
        return """'{"forged": 1}'"""
    if isinstance(column, models.BinaryField):
        return "'x'" if connection.vendor == "postgresql" else "x'00'"
    if isinstance(column, models.CharField | models.TextField):
        return f"'{'forged'[: column.max_length]}'"
    # keys of others may be near; a percentage has few digits
    return f"COALESCE({name}, 0) + {1 if isinstance(column, models.DecimalField) else 1000}"


def a_row_in_each_state() -> None:
    """Make a row of each kind in each state in which something of it is fixed."""
    world = past.World()
    binding = make.a_binding(make.a_project(world.organization), world.ready)
    make.a_binding(binding.project, make.a_ready_account(world.organization))
    a_payer_change(world.ready, make.a_project(world.organization), effective_at=None)
    move_due()
    project = make.a_project(world.organization)
    with audit.transaction():
        project.archive()
        audit.save_as(make.PLATFORM, project, reason="ProjectArchived")
    update(Notice.objects.latest("pk"), phase="Delivered", delivered_at="2026-11-01T00:00:00Z")
    update(PasswordLink.objects.latest("pk"), used_at="2026-11-01T00:00:00Z")
    SavedFilter.objects.create(person=make.a_person(), page="auth.user", name="mine", query="q=a")
    update(ServiceToken.objects.latest("pk"), revoked_at="2026-11-01T00:00:00Z")
    connection.check_constraints()


@pytest.mark.django_db
def test_the_database_keeps_every_fixed_column_as_it_is(subtests: pytest.Subtests) -> None:
    """Of the rows for which it is fixed, of which there is at least one, and by a guard of that table."""
    a_row_in_each_state()
    with as_owner():
        for model, part in FIXED:
            for column in part.columns:
                with subtests.test(f"{model.__name__}.{column}"):
                    refused(model, part, column)


def refused(model: Any, part: Fixed, name: str) -> None:
    table = model._meta.db_table
    (column,) = (column for column in model._meta.concrete_fields if column.column == name)
    fixed = part.once.replace("OLD.", "").replace("NEW.pseudonymised_on IS NOT NULL", "FALSE") or "TRUE"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table} WHERE {fixed}")
        assert cursor.fetchone()[0], f"no row of {table} for which {part.name} holds"
        # of columns that are fixed by two guards either refuses, and so does what keeps keys; purging before its day,
        # which may set pseudonymised_on, a constraint refuses; nothing is backdated either
        names = [each.name for each in model.columns.fixed if name in each.columns] + ["_not_backdated"]
        with (
            pytest.raises(IntegrityError, match="|".join([*names, "_never_replaced", "pseudonymised_when_due"])),
            transaction.atomic(),
        ):
            cursor.execute(f'UPDATE {table} SET "{name}" = {other(column)} WHERE {fixed}')


@pytest.mark.django_db
@pytest.mark.parametrize("column", ["message", "internal_note"])
def test_what_was_said_of_a_resolved_suspension_stays(column: str) -> None:
    world = past.World()
    before = Suspension.objects.values().get(pk=world.resolved.pk)
    with pytest.raises(IntegrityError, match="suspension_identity_fixed"), transaction.atomic(), as_owner():
        update(world.resolved, **{column: "another story"})
    assert Suspension.objects.values().get(pk=world.resolved.pk) == before
