"""A fixture of `tests/conftest.py` is one thing in all tests: what differs has a name that says so."""

import ast
from pathlib import Path

TESTS = Path(__file__).parent


def fixtures(path: Path) -> set[str]:
    """Return the names of the fixtures that a file defines."""
    if "@pytest.fixture" not in (source := path.read_text()):
        return set()
    return {
        node.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and any(ast.unparse(decorator).startswith("pytest.fixture") for decorator in node.decorator_list)
    }


def test_no_file_takes_the_name_of_a_fixture_of_all_tests() -> None:
    shared = fixtures(TESTS / "conftest.py")
    assert {"organization", "project", "account"} <= shared
    others = (path for path in TESTS.rglob("*.py") if path != TESTS / "conftest.py")
    taken = {str(path.relative_to(TESTS)): names for path in others if (names := fixtures(path) & shared)}
    assert taken == {}
