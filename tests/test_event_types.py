"""Every reason of an event is classified: as bad news, or as news."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from django.conf import settings

from billing.api.event_types import NORMAL, WARNING
from milo.kube.core.event_types import classified, type_of

Scope = tuple[ast.Module, ast.FunctionDef]
WRITERS = {"save_as", "save_all_as", "mark_changed"}
DECLARED = {"Announcement.objects.create"}


@cache
def modules() -> tuple[ast.Module, ...]:
    folders = [Path(settings.BASE_DIR, application) for application in ("billing", "projects", "milo")]
    paths = [path for folder in folders for path in folder.rglob("*.py")]
    # tokens are no objects of the API, and acts.py is where a reason is a parameter
    return tuple(ast.parse(path.read_text()) for path in paths if not {"identity", "audit"} & set(path.parts))


def functions() -> Iterator[Scope]:
    for module in modules():
        for node in ast.walk(module):
            if isinstance(node, ast.FunctionDef):
                yield module, node


def called(call: ast.Call) -> str:
    return ast.unparse(call.func)


def parameters(function: ast.FunctionDef) -> list[str]:
    return [argument.arg for argument in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]


def argument(call: ast.Call, name: str, position: int) -> ast.expr | None:
    by_name = next((keyword.value for keyword in call.keywords if keyword.arg == name), None)
    return by_name or (call.args[position] if len(call.args) > position else None)


def values(expression: ast.expr, scope: Scope) -> set[str]:
    """Every text that an expression can be; fails for one that nobody could follow."""
    module, function = scope
    match expression:
        case ast.Constant(value=str(text)):
            return {text}
        case ast.IfExp(body=one, orelse=other):
            return values(one, scope) | values(other, scope)
        case ast.JoinedStr(values=[ast.Constant(value=str(stem)), ast.FormattedValue(value=inner)]):
            return {f"{stem}{text}" for text in values(inner, scope)}
        case ast.Name(id=name) if name in parameters(function):
            return passed(function, name)
        case ast.Name(id=name):
            constants: list[ast.stmt] = [it for it in module.body if isinstance(it, ast.Assign)]
            found = assignments(name, function.body) or assignments(name, constants)
            assert found, f"{function.name}: {name} is assigned nowhere"
            return set().union(*(values(each, scope) for each in found))
        case ast.Call(func=ast.Name(id=name)):
            [(home, target)] = [(where, it) for where, it in functions() if it.name == name and where is module]
            returned = [node.value for node in ast.walk(target) if isinstance(node, ast.Return) and node.value]
            return set().union(*(values(each, (home, target)) for each in returned))
    pytest.fail(f"{function.name}: the reason {ast.unparse(expression)} cannot be followed; write it as a literal")


def assignments(name: str, body: list[ast.stmt]) -> list[ast.expr]:
    found: list[ast.expr] = []
    for node in (inner for statement in body for inner in ast.walk(statement)):
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            if isinstance(target, ast.Name) and target.id == name:
                found.append(node.value)
            elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = zip(target.elts, node.value.elts, strict=True)
                found += [value for key, value in pairs if isinstance(key, ast.Name) and key.id == name]
    return found


def default(function: ast.FunctionDef, name: str) -> ast.expr | None:
    """What a parameter is for a caller that passes nothing."""
    of_all = function.args
    by_position = (*of_all.posonlyargs, *of_all.args)
    last = [it.arg for it in by_position[len(by_position) - len(of_all.defaults) :]]
    by_name = [it.arg for it in of_all.kwonlyargs]
    pairs: list[tuple[str, ast.expr | None]] = [*zip(last, of_all.defaults, strict=True)]
    pairs += zip(by_name, of_all.kw_defaults, strict=True)
    return next((value for key, value in pairs if key == name), None)


def passed(function: ast.FunctionDef, name: str) -> set[str]:
    """What the callers of a function pass for a parameter."""
    position, found = parameters(function).index(name), set[str]()
    for scope in functions():
        for node in (it for it in ast.walk(scope[1]) if isinstance(it, ast.Call)):
            # a private function of another module is another function
            own = called(node) == function.name and (not function.name.startswith("_") or function in scope[0].body)
            if own or (called(node).endswith(f"s.{function.name}") and not function.name.startswith("_")):
                expression = argument(node, name, position) or default(function, name)
                assert expression is not None, f"{scope[1].name} calls {function.name} without {name}"
                found |= values(expression, scope)
    assert found, f"nobody calls {function.name}"
    return found


def reasons() -> set[str]:
    found: set[str] = set()
    for scope in functions():
        for node in ast.walk(scope[1]):
            if not isinstance(node, ast.Call):
                continue
            written = called(node).startswith("audit.") and called(node).rpartition(".")[2] in WRITERS
            if not written and called(node) not in DECLARED:
                continue
            expression = argument(node, "reason", 99)
            # what is owed to a project is declared where the announcement is made
            if expression is not None and ast.unparse(expression) != "announcement.reason":
                found |= values(expression, scope)
    return found


def test_every_reason_in_the_code_is_classified_and_no_other() -> None:
    assert reasons() == classified() == set(NORMAL) | set(WARNING)


def test_no_reason_is_classified_twice_and_both_lists_are_in_order() -> None:
    assert not set(NORMAL) & set(WARNING)
    assert list(NORMAL) == sorted(set(NORMAL))
    assert list(WARNING) == sorted(set(WARNING))


def test_a_reason_that_the_table_has_forgotten_is_news() -> None:
    assert type_of("OfAnOlderVersion") == "Normal"
    assert type_of("BillingAccountSuspended") == "Warning"
