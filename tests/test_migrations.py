"""Migrations say by themselves what they do: what they import would change under them."""

import ast
import gc
import importlib
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.models import Field, Index
from django_migration_linter import MigrationLinter

from billing.models import BillingAccount
from milo.migrating import old_models

# operations that several applications share, and that stay as they are
SHARED = {"milo.audit.operations", "milo.migrating.operations"}
FIRST = json.loads((Path(__file__).parent / "ledger" / "versions" / "113717c.json").read_text())["migrations"]
"""The migrations of the first version, which nobody applies beside a service any more."""
NAMES_ALONE = (
    "RUNPYTHON_ARGS_NAMING_CONVENTION",
    "RUNPYTHON_MODEL_IMPORT",
    "RUNPYTHON_MODEL_VARIABLE_NAME",
)
"""Rules of django-migration-linter that are about names in Python."""
ACCEPTED: dict[str, str] = {
    "billing.0030_payer_change": "all its indexes are on new tables; the linter reads the condition of one,"
    " `phase IN (...)`, as part of the name of its table",
    "billing.0039_move_payers": "the new unique indexes have the few pending requests alone, and the version before"
    " refuses a second request by its service under the same locks",
    "billing.0041_charges_of_sub_accounts": "the one index is that of a foreign key in the history of charges, which"
    " Django adds with its column: empty in every row, so that reports of charges wait for a moment only",
    "billing.0046_remove_account_by_name": "the index of 0043 finds by name as well, and one is dropped in a moment",
}
"""Migrations that the linter finds fault with, each with why it does no harm beside the version before."""


def migrations() -> Iterator[Path]:
    for application in apps.get_app_configs():
        if application.name.partition(".")[0] in {"milo", "billing", "projects"}:
            yield from sorted(Path(application.path, "migrations").glob("0*.py"))


@pytest.mark.once
@pytest.mark.parametrize("path", [*migrations()], ids=lambda path: f"{path.parent.parent.name}-{path.stem}")
def test_a_migration_uses_nothing_of_ours_but_fields_indexes_and_defaults(path: Path) -> None:
    tree = ast.parse(path.read_text())
    nodes = list(ast.walk(tree))
    taken = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    named = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    assert ours(taken) <= SHARED
    # makemigrations imports the module of a field's or index's class or default: nothing else of it may be used
    text = path.read_text()
    for module in ours(named):
        for before, name in re.findall(rf"(default=)?\b{re.escape(module)}\.(\w+)", text):
            value = getattr(importlib.import_module(module), name)
            assert before or (isinstance(value, type) and issubclass(value, (Field, Index))), f"{module}.{name}"


def ours(modules: Iterable[str | None]) -> set[str]:
    return {name for name in modules if name and name.partition(".")[0] in {"milo", "billing", "projects"}}


@pytest.mark.django_db
@pytest.mark.slow  # has Django write the SQL of each
def test_the_version_before_goes_on_during_and_after_each_migration() -> None:
    """On a failure here: `db_default` for a column, `AddIndexConcurrently` for an index, removal a version later."""
    if connection.vendor != "postgresql":
        assert FIRST  # one process alone serves on SQLite
        return
    ours = {path.parent.parent.name for path in migrations()}
    nodes = MigrationLoader(connection).graph.nodes
    newer = {f"{app}.{name}": nodes[app, name] for app, name in nodes if app in ours and f"{app}.{name}" not in FIRST}
    assert newer
    faulty = set()
    for name, migration in newer.items():
        linter = MigrationLinter(
            str(settings.BASE_DIR), no_cache=True, no_output=True, exclude_migration_tests=NAMES_ALONE
        )
        linter.lint_migration(migration)
        if linter.nb_erroneous or linter.nb_warnings:
            faulty.add(name)
    assert faulty == set(ACCEPTED)


def declared(field: Any) -> dict[str, Any]:
    """What a field holds, less what says which one it is."""
    held = {name: value for name, value in vars(field).items() if name not in ("creation_counter", "remote_field")}
    # a list that CharField extends, of which a property makes the first part when it is read
    held["validators"] = field.validators
    target = dict(vars(field.remote_field)) if field.remote_field else {}
    target.pop("field", None)
    if isinstance(model := target.get("model"), str):
        target["model"] = model.lower()
    return held | {f"remote {name}": value for name, value in target.items()}


def test_a_copy_of_a_field_holds_what_djangos_does() -> None:
    checked = set()
    for (application, name), migration in MigrationLoader(None).graph.nodes.items():
        for operation in migration.operations:
            named = [("", operation.field)] if hasattr(operation, "field") else getattr(operation, "fields", ())
            for field in [field for _name, field in named if isinstance(field, Field)]:
                where = application, name, operation.describe(), field
                # two properties that are computed once
                assert field.validators is not None
                assert not field.is_relation or field.related_model, where
                django, copy, later = field.clone(), old_models.copy_of(field), field.clone()
                assert declared(copy) == declared(django), where
                step = later.creation_counter - copy.creation_counter
                assert step == copy.creation_counter - django.creation_counter != 0, where
                if copy.remote_field:
                    assert copy.remote_field.field is copy, where
                    assert copy.remote_field is not field.remote_field, where
                checked.add(type(field).__name__)
    assert checked >= {"AutoField", "CharField", "ForeignKey", "ManyToManyField", "PhaseField"}


def test_a_field_of_a_model_is_declared_again() -> None:
    field = BillingAccount._meta.get_field("organization")
    copy = old_models.copy_of(field)
    assert not hasattr(copy, "model")
    assert copy.deconstruct()[1:] == field.deconstruct()[1:]


def test_after_a_migration_that_fails_all_is_as_before() -> None:
    before = Field.clone, gc.get_threshold()

    def fail() -> None:
        with old_models.made_cheaply():
            assert Field.clone is old_models.copy_of
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (Field.clone, gc.get_threshold()) == before
