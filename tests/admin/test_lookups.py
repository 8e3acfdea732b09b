"""Addresses of lists: what filters and search name can be asked, and nothing else of any model."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.db.models import Field, Model
from django.test import Client

from tests.admin.browser import list_of, superuser

pytestmark = pytest.mark.django_db
REFUSED = ["regex", "iregex", "startswith", "istartswith", "contains", "icontains", "gt", "lt", "range", "year__gt"]
MODELS = list(admin.site._registry)


def fields(model: type[Model], depth: int = 2) -> Iterator[str]:
    """Every field of a model, and those of the models that it points to."""
    for field in model._meta.get_fields():
        if isinstance(field, Field):
            yield field.name
            if depth and field.related_model and isinstance(field.related_model, type):
                yield from (f"{field.name}__{inner}" for inner in fields(field.related_model, depth - 1))


@pytest.fixture
def root() -> Client:
    return superuser()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_no_list_answers_a_lookup_that_its_filters_and_search_do_not_name(model: type[Model], root: Client) -> None:
    admitted = set()
    request = root.get(list_of(model)).wsgi_request
    model_admin = admin.site._registry[model]
    for field in fields(model):
        for lookup in REFUSED:
            assert not model_admin.lookup_allowed(f"{field}__{lookup}", "x", request), (field, lookup)
        admitted |= {field} if model_admin.lookup_allowed(f"{field}__exact", "x", request) else set()
    filters: list[Any] = [item for item in model_admin.list_filter if not isinstance(item, type)]
    named = {item if isinstance(item, str) else item[0] for item in filters}
    named |= {f"{name}__id" for name in named} | set(model_admin.search_fields)
    assert admitted == named & set(fields(model))
    for lookup in ("regex", "startswith"):
        first = next(fields(model))
        assert root.get(list_of(model), {f"{first}__{lookup}": "(a+)+$"}).status_code == 400


@pytest.mark.parametrize(
    ("path", "lookup"),
    [
        ("identity/servicetoken", "digest__startswith"),
        ("identity/servicetoken", "digest"),
        ("identity/servicetoken", "user__password__startswith"),
        ("auth/user", "password__startswith"),
        ("billing/billingaccount", "display_name__regex"),
        ("projects/membership", "user__password__regex"),
    ],
)
def test_secrets_are_not_guessed_letter_by_letter(path: str, lookup: str, root: Client) -> None:
    assert root.get(f"/admin/{path}/", {lookup: "p"}).status_code == 400
