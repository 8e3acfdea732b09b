"""What a list of the staff site is asked for: pages, searches, each choice of each filter, and each order."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import ORDER_VAR
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.db.models import Model
from django.http import QueryDict
from django.test import RequestFactory

from benchmarks.console_rows import FIRST_KEY
from billing.models import (
    ApprovalRequest,
    BillingAccount,
    BillingAccountAffiliation,
    BillingAccountBinding,
    Charge,
    Hold,
    Notice,
    PayerChange,
    PayerChangeItem,
    Suspension,
)
from milo.admin.panels import list_address
from milo.identity.models import Identity, LogIn, ServiceToken
from projects.models import Membership, Organization, Project

PERSON, ONE, NOTHING = "superuser", "0000777", "nothing-like-this"
MOST_CHOICES = 8
"""A filter with more choices, such as that of countries, is asked for the first two."""
DAYS = ("2020-01-01", "2026-11-30")
"""Before all rows, and behind them."""


@dataclass(frozen=True, slots=True)
class List:
    """A list, a filter that most of its rows match and one that few do, and what finds one row in each database."""

    model: type[Model]
    most: dict[str, str] = field(default_factory=dict)
    few: dict[str, str] = field(default_factory=dict)
    one: str = ONE


LISTS = (
    List(BillingAccount, {"phase__exact": "Ready"}, {"phase__exact": "Incomplete"}),
    List(Project, {"payer": "somebody"}, {"phase__exact": "Archived"}),
    List(BillingAccountBinding, {"phase__exact": "Active"}, {"phase__exact": "Ended"}),
    List(ApprovalRequest, {"phase__exact": "Approved"}, {"phase__exact": "Pending"}),
    List(Charge, {"due": "settled"}, {"due": "overdue"}),
    List(Notice, {"phase__exact": "Delivered"}, {"phase__exact": "Dead"}, "owner-777@"),
    # the account of this number is the parent of ten others in each database
    List(BillingAccountAffiliation, {"view": "in-force"}, {"view": "planned"}, "0000077"),
    List(PayerChange, {"phase__exact": "Completed"}, {"view": "planned"}),
    List(PayerChangeItem, {"phase__exact": "Done"}, {"phase__exact": "Pending"}),
    List(Suspension, {"resolved_at__isempty": "0"}, {"resolved_at__isempty": "1"}),
    List(Hold, {"released_at__isempty": "0"}, {"released_at__isempty": "1"}),
    List(Organization, {"phase__exact": "Active"}, {"phase__exact": "Active"}, f"x{ONE}"),
    List(LogIn, {"outcome__exact": "Succeeded"}, {"outcome__exact": "LockedOut"}),
    List(User, {"is_active__exact": "1"}, {"is_superuser__exact": "1"}),
    List(Membership, {"role__exact": "billing-viewer"}, {"role__exact": "billing-user"}),
    List(ServiceToken, {"revoked_at__isempty": "1"}, {"revoked_at__isempty": "0"}, f"token {ONE}"),
    List(Identity, one=f"subject-{ONE}"),
)


def pages(listed: List) -> dict[str, dict[str, str]]:
    """Return the queries of pages and searches of a list, by what they are."""
    return {
        "first page": {},
        "in the middle": {"p": _behind_the_middle(listed.model)},
        "a filter of most": listed.most,
        "a filter of few": listed.few,
        "a search for one": {"q": listed.one},
        "a search for nothing": {"q": NOTHING},
    }


def choices(model: type[Model]) -> dict[str, dict[str, str]]:
    """Return the queries of each choice of each filter of a list, and of each order, by what they are: `name=value`."""
    page = _page_of(model)
    queries = {f"{ORDER_VAR}={order}": {ORDER_VAR: order} for order in _orders(page)}
    for spec in page.filter_specs:
        for choice in spec.choices(page):
            if form := choice.get("form"):
                queries |= {
                    f"{name}={title}": {name: value}
                    for name, asked in form.fields.items()
                    for title, value in _values(name, asked, model)
                }
            elif query := _query(choice["query_string"]):
                queries["&".join(f"{name}={value}" for name, value in query.items())] = query
    return queries


def address(model: type[Model], query: dict[str, str]) -> str:
    """Return the address of a list with a query."""
    values = QueryDict(mutable=True)
    values.update(query)
    return f"{list_address(model)}?{values.urlencode()}"


def _orders(page: Any) -> Iterator[str]:
    for number, column in enumerate(page.list_display):
        if page.get_ordering_field(column):
            yield from (f"{sign}{number}" for sign in ("", "-"))


def _values(name: str, asked: forms.Field, model: type[Model]) -> Iterator[tuple[str, str]]:
    """Yield values of a field of a filter, with their titles: a row has another key in each database."""
    if isinstance(asked, forms.ModelChoiceField):
        row: Any = _middle(model)
        for part in name.partition("__id")[0].split("__"):
            row = getattr(row, part, None)
        if row:
            yield "that of the middle", str(row.pk)
        return
    values: Any = DAYS
    if isinstance(asked, forms.ChoiceField):
        values = [value for value, _title in asked.choices if value]  # type: ignore[misc, union-attr]
    yield from ((str(value), str(value)) for value in (values[:2] if len(values) > MOST_CHOICES else values))


def _query(text: str) -> dict[str, str]:
    return {name: str(value) for name, value in QueryDict(text.removeprefix("?")).items()}


def _page_of(model: type[Model]) -> Any:
    request = RequestFactory().get(list_address(model))
    request.user, request.session = User.objects.get(username=PERSON), SessionStore()
    return admin.site.get_model_admin(model).get_changelist_instance(request)


def _middle(model: type[Model]) -> Any:
    """Return the row in the middle; every row has a key of its own number."""
    return model._base_manager.get(pk=FIRST_KEY + model._base_manager.count() // 2)


def _behind_the_middle(model: type[Model]) -> str:
    """Return the token of the page behind the row in the middle of a list."""
    return str(_query(_page_of(model).behind(_middle(model)))["p"])
