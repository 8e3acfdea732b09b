"""The library part of milo serves any application, and names none: no kind, no role, no group, no relation of theirs.

The words are those that the applications have registered, so that nobody need remember to list them. The composition
root is what stands above them in the import contracts.
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings

from milo.access import TABLE
from milo.identity import access
from milo.identity.actors import held_columns
from milo.kube.illustrations import illustrations
from milo.kube.kinds import Kind, all_kinds, namespace_kind

APPLICATIONS = ("projects", "billing")
MILO: Path = settings.BASE_DIR / "milo"
# resources and roles of the library itself
OWN = {
    *(access.TOKENS, access.TOKEN_REVIEWS, access.IDENTITIES, access.PASSWORD_LINKS, access.LOG_INS, access.USERS),
    access.PERSONAL_DATA,
    *(access.PLATFORM_ADMIN, access.AUTH_DELEGATOR),
}
# those who own what there is: the library's own word for it, in rules, actors and prose
TENANTS = {"organization", "organizations"}


def composition_root() -> set[str]:
    """The modules of milo that the contracts place above the applications."""
    contracts = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    house = next(found for found in contracts if found["name"] == "Imports go down only, across the house")
    # settings name the applications that are installed, and are read from everywhere
    return {"settings", *(module.strip().removeprefix("milo.") for module in house["layers"][0].split(":"))}


def library() -> list[Path]:
    """The sources and templates of the library part; migrations stay as they were written."""
    root = composition_root()
    found = [
        path
        for path in sorted(MILO.rglob("*"))
        if path.suffix in (".py", ".html", ".txt")
        and path.relative_to(MILO).parts[0].removesuffix(".py") not in root
        and "migrations" not in path.parts
    ]
    assert len(found) > 150
    return found


def words_of(kind: Kind) -> set[str]:
    """What a kind is called; the kind of tenants lends its name to the library's own prose."""
    tenants = {kind.group, kind.resource}
    return tenants if kind.is_namespace else {*tenants, kind.kind, kind.plural, kind.singular}


@cache
def words() -> frozenset[str]:
    """Every word that the applications have registered."""
    found = set().union(*map(words_of, all_kinds()))
    found |= {word for rule in TABLE for word in (rule.role, rule.resource)} - OWN - TENANTS
    found |= {model.__name__ for name in APPLICATIONS for model in apps.get_app_config(name).get_models()}
    found -= {namespace_kind().kind}
    found |= {path.partition("__")[0] for path in held_columns()} - {"groups"}
    return frozenset({*found, namespace_kind().example["metadata"]["name"], illustrations().person})


def named(text: str) -> Iterator[str]:
    """The words of the applications in a text, also as the beginning of a longer one in CamelCase."""
    known = "|".join(map(re.escape, sorted(words(), key=len, reverse=True)))
    return (match[1] for match in re.finditer(rf"(?<![A-Za-z0-9-])({known})(?![a-z0-9-])", text))


def texts(path: Path) -> Iterator[str]:
    """Every string of a module, docstrings too; a template whole."""
    if path.suffix != ".py":
        yield path.read_text()
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_the_words_are_those_of_the_applications() -> None:
    assert {"BillingAccount", "billingaccounts", "Project", "projects", "billing.milo.io", "charges"} <= words()
    assert {"finance-approver", "billing-admin", "auditor", "memberships", "Membership", "acme-corp"} <= words()
    assert not words() & {"platform-admin", "servicetokens", "organization", "groups"}
    assert list(named("read by finance-approver of projects, as BillingAccountOpened")) == [
        "finance-approver",
        "projects",
        "BillingAccount",
    ]


@pytest.mark.once
def test_no_string_of_the_library_names_an_application() -> None:
    found = {f"{path.relative_to(MILO)}: {word}" for path in library() for text in texts(path) for word in named(text)}
    assert not found


@pytest.mark.once
def test_no_string_of_the_library_is_the_resource_of_its_tenants_or_a_short_name() -> None:
    # prose may say so, a rule or a look-up may not
    resources = {namespace_kind().kind, namespace_kind().plural}.union(*(kind.short_names for kind in all_kinds()))
    found = {path.name for path in library() for text in texts(path) if path.suffix == ".py" and text in resources}
    assert not found


@pytest.mark.once
def test_no_module_of_the_library_imports_an_application() -> None:
    imported = {
        (path.name, name)
        for path in library()
        if path.suffix == ".py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [it.name for it in node.names])
        if name.partition(".")[0] in APPLICATIONS
    }
    assert not imported
