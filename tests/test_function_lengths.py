"""Functions have at most 60 lines, files at most 300. Branches are bounded by ruff (C901)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.once
ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("milo", "projects", "billing", "soak")
MAX_LINES = 60
MAX_LINES_OF_A_FILE = 300


def lengths(source: str) -> Iterator[tuple[str, int]]:
    """Yield name and lines of each function and method, decorators left out and inner functions counted in."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno
            yield node.name, node.end_lineno - node.lineno + 1


def modules() -> list[Path]:
    """Return the modules of the packages; what makemigrations writes is no code that people read."""
    return [path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if "migrations" not in path.parts]


def test_a_function_is_as_long_as_its_lines() -> None:
    source = "class A:\n    @property\n    async def name(\n        self,\n    ):\n        def inner():\n            x"
    assert dict(lengths(source)) == {"name": 5, "inner": 2}


def test_no_function_is_longer_than_a_screen() -> None:
    counted = [
        (path.relative_to(ROOT).as_posix(), name, lines)
        for path in modules()
        for name, lines in lengths(path.read_text())
    ]
    assert len(counted) > 1000
    assert not [f"{path}: {name} has {lines} lines" for path, name, lines in counted if lines > MAX_LINES]


def test_no_file_is_longer_than_five_screens() -> None:
    counted = [(path.relative_to(ROOT).as_posix(), len(path.read_text().splitlines())) for path in modules()]
    assert len(counted) > 500
    assert not [f"{path} has {lines} lines" for path, lines in counted if lines > MAX_LINES_OF_A_FILE]
