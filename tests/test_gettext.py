"""Texts of modules and classes are lazy: `_`, which translates at once, stands inside functions only.

An eager call while a module is loaded would fix its text in the language of that moment, for everyone. Ruff holds the
names (`flake8-import-conventions` in pyproject.toml).
"""

import ast
from collections.abc import Iterator

import pytest

from tests.test_function_lengths import modules

pytestmark = pytest.mark.once
EAGER = {"_", "gettext", "ngettext", "pgettext", "npgettext"}


def eager_calls(node: ast.AST) -> Iterator[int]:
    """Yield the lines of eager calls that run while the module is loaded: decorators and defaults do, bodies do not."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in EAGER:
        yield node.lineno
    children: list[ast.AST] = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        children = [*node.decorator_list, node.args]
    elif isinstance(node, ast.Lambda):
        children = [node.args]
    for child in children:
        yield from eager_calls(child)


def test_a_call_counts_where_loading_runs_it() -> None:
    source = (
        "A = _('a')\n"
        "class B:\n    c = Field(_('c'))\n"
        "    @display(_('d'))\n    def d(self, e=_('e')):\n        return _('f')\n"
        "g = lambda: _('g')\nh = gettext_lazy('h')\n"
    )
    assert sorted(eager_calls(ast.parse(source))) == [1, 3, 4, 5]


def test_no_text_is_translated_while_a_module_is_loaded() -> None:
    eager = {path.as_posix(): lines for path in modules() if (lines := list(eager_calls(ast.parse(path.read_text()))))}
    assert eager == {}, "write gettext_lazy"
