"""Digits are those of ASCII: what else Unicode calls a digit is refused, or written in ASCII, by every validator."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from billing.compliance.dataset import data
from billing.payment_profile.payment_fields import FIELDS
from billing.usage import identifiers
from milo import card_numbers, personal
from tests.compliance.test_payment_profile import SAMPLES

# they look for numbers that somebody hid; the more they find, the better
# words of any script begin and end
SEARCHES = {card_numbers.__name__, identifiers.__name__, personal.__name__}
# they read paths and texts that this program wrote itself
OWN_TEXTS = {"billing.admin.wording", "billing.models.account", "milo.admin.forms"}
# a remittance reference is free text, unless it is a creditor reference
FORMED = sorted(name for name in SAMPLES if FIELDS[name].type is str and name != "remittanceReference")
SCRIPTS = ["\uff10", "\u0660", "\u06f0", "\u0966", "\u0e50", "\U0001d7ce"]


def in_script(text: str, zero: str) -> str:
    return text.translate({ord(str(digit)): chr(ord(zero) + digit) for digit in range(10)})


def modules() -> Iterator[tuple[str, ast.Module]]:
    for folder in ("billing", "milo", "projects"):
        for path in sorted((Path(settings.BASE_DIR) / folder).rglob("*.py")):
            if "migrations" not in path.parts:
                name = ".".join(path.relative_to(settings.BASE_DIR).with_suffix("").parts)
                yield name, ast.parse(path.read_text(encoding="utf-8"))


def unicode_patterns(tree: ast.Module) -> Iterator[str]:
    """Calls of `re` with classes that match beyond ASCII, and without the flag that stops them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "re":
            call = ast.unparse(node)
            if re.search(r"\\\\*[dw]", "".join(texts(node))) and "re.ASCII" not in call:
                yield call


def texts(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield from re.findall(r"\\[dwDW]", part.value)


def unicode_methods(tree: ast.Module) -> Iterator[str]:
    """Boolean expressions that ask whether a text is of digits, and not whether it is ASCII."""
    asked = ("isdigit", "isdecimal", "isnumeric")
    safe = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.BoolOp) and "isascii()" in ast.unparse(node)
        for part in ast.walk(node)
    }
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr in asked and id(node) not in safe:
            yield ast.unparse(node)


def test_no_pattern_matches_digits_or_letters_beyond_ascii_but_where_numbers_are_searched() -> None:
    found = {name: list(unicode_patterns(tree)) for name, tree in modules()}
    assert len(found) > 200
    assert {name for name, calls in found.items() if calls} <= SEARCHES | OWN_TEXTS, found
    assert found[card_numbers.__name__]


def test_no_validator_asks_for_digits_without_asking_for_ascii() -> None:
    found = {name: list(unicode_methods(tree)) for name, tree in modules()}
    assert {name: calls for name, calls in found.items() if calls} == {}


def test_no_form_of_the_data_matches_beyond_ascii() -> None:
    forms = [kind.form for kinds in data().tax_numbers.values() for kind in kinds]
    forms += [scheme.form for scheme in data().peppol_schemes.values() if scheme.form]
    assert len(forms) > 250
    for form in forms:
        assert form.flags & re.ASCII or not re.search(r"\\[dw]", form.pattern), form.pattern


@pytest.mark.parametrize("zero", SCRIPTS, ids=ascii)
@pytest.mark.parametrize("name", FORMED)
def test_a_field_of_a_payment_method_with_a_form_takes_no_other_digits(name: str, zero: str) -> None:
    field, sample = FIELDS[name], str(SAMPLES[name])
    assert field.fault(sample) == ""
    if (written := in_script(sample, zero)) != sample:
        assert field.fault(written)
