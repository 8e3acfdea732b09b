"""Migrations say by themselves what they do: what they import would change under them."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps

# an operation that several applications share, which says of itself that it stays as it is
SHARED = {"milo.audit.operations"}


def migrations() -> Iterator[Path]:
    for application in apps.get_app_configs():
        if application.name.partition(".")[0] in {"milo", "billing", "projects"}:
            yield from sorted(Path(application.path, "migrations").glob("0*.py"))


@pytest.mark.once
@pytest.mark.parametrize("path", [*migrations()], ids=lambda path: f"{path.parent.parent.name}-{path.stem}")
def test_a_migration_uses_nothing_of_ours_but_fields_and_their_defaults(path: Path) -> None:
    tree = ast.parse(path.read_text())
    taken = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    ours = {module for module in taken if module and module.partition(".")[0] in {"milo", "billing", "projects"}}
    assert ours <= SHARED
