"""Lists of the staff site in two databases, one with a thousand rows of each model and one with a million."""

import os
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import Model
from django.http import QueryDict
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from benchmarks.console_rows import FIRST_KEY, fill
from benchmarks.report import Report
from benchmarks.servers import Failed
from benchmarks.stage import Stage
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

FEW, MANY, ASKED = 1_000, 1_000_000, 20
PERSON, ONE, NOTHING = "superuser", "0000777", "nothing-like-this"


@dataclass(frozen=True, slots=True)
class List:
    """A list, a filter that most of its rows match and one that few do, and what finds one row."""

    model: type[Model]
    most: dict[str, str]
    few: dict[str, str]
    one: str = ONE


LISTS = (
    List(BillingAccount, {"phase__exact": "Ready"}, {"phase__exact": "Incomplete"}),
    List(Project, {"payer": "somebody"}, {"phase__exact": "Archived"}),
    List(BillingAccountBinding, {"phase__exact": "Active"}, {"phase__exact": "Ended"}),
    List(ApprovalRequest, {"phase__exact": "Approved"}, {"phase__exact": "Pending"}),
    List(Charge, {"due": "settled"}, {"due": "overdue"}),
    List(Notice, {"phase__exact": "Delivered"}, {"phase__exact": "Dead"}, "owner-777@"),
    List(BillingAccountAffiliation, {"view": "in-force"}, {"view": "planned"}),
    List(PayerChange, {"phase__exact": "Completed"}, {"view": "planned"}),
    List(PayerChangeItem, {"phase__exact": "Done"}, {"phase__exact": "Pending"}),
    List(Suspension, {"resolved_at__isempty": "0"}, {"resolved_at__isempty": "1"}),
    List(Hold, {"released_at__isempty": "0"}, {"released_at__isempty": "1"}),
    List(Organization, {"phase__exact": "Active"}, {"phase__exact": "Active"}),
    List(LogIn, {"outcome__exact": "Succeeded"}, {"outcome__exact": "LockedOut"}),
    List(User, {"is_active__exact": "1"}, {"is_superuser__exact": "1"}),
    List(Membership, {"role__exact": "billing-viewer"}, {"role__exact": "billing-user"}),
    List(ServiceToken, {"revoked_at__isempty": "1"}, {"revoked_at__isempty": "0"}, "token 777"),
    List(Identity, {}, {}, "subject-777"),
)


def run(stage: Stage) -> Report:
    """Both databases are asked in turns, each request as often in the one as in the other."""
    small = stage.data.accounts < 10_000
    sizes = (100, 200) if small else (FEW, MANY)
    lists = LISTS[:1] if small else LISTS
    with (
        _filled(stage, "few", sizes[0]) as few,
        _filled(stage, "many", sizes[1]) as many,
        Path(os.devnull).open("w") as nowhere,
        # one line of each request
        redirect_stderr(nowhere),
    ):
        facts = dict(_measured(listed, (few, many), 1 if small else ASKED) for listed in lists)
    title = f"Lists of the staff site: p95 ms at {sizes[0]:,} rows and at {sizes[1]:,}, and the ratio"
    return Report(title, facts=facts)


@contextmanager
def _filled(stage: Stage, name: str, rows: int) -> Iterator[Any]:
    """A connection to a database of `rows` rows of each model, in which the person of the session exists."""
    made = connection.copy()
    # there is one pool for all databases of an alias
    made.settings_dict["OPTIONS"].pop("pool")
    made.settings_dict["NAME"] = f"{connection.settings_dict['NAME']}_{name}"
    names = [connection.ops.quote_name(each) for each in (made.settings_dict["NAME"], stage.empty)]
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {names[0]} TEMPLATE {names[1]}")
    try:
        with _opened(made):
            User.objects.create_superuser(PERSON)
            fill(rows)
        yield made
    finally:
        made.close()
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {names[0]} WITH (FORCE)")


@contextmanager
def _opened(other: Any) -> Iterator[None]:
    """Have everything in the block ask the database `other`."""
    usual = connections[DEFAULT_DB_ALIAS]
    connections[DEFAULT_DB_ALIAS] = other
    try:
        yield
    finally:
        connections[DEFAULT_DB_ALIAS] = usual


def _measured(listed: List, databases: Sequence[Any], times: int) -> tuple[str, dict[str, Any]]:
    """Return the name of a list, and figures of its pages and of its searches."""
    clients = [_client(database) for database in databases]
    asked = [_addresses(listed, database) for database in databases]
    took: dict[str, list[list[float]]] = {}
    most = 0
    for kind in asked[0]:
        requests = [(each, client, of[kind]) for each, client, of in zip(databases, clients, asked, strict=True)]
        # what is asked first fills caches
        most = max(most, *(_queries(*request) for request in requests))
        turns = [[_milliseconds(*request) for request in requests] for _turn in range(times)]
        took[kind] = [list(of) for of in zip(*turns, strict=True)]
    searches = [kind for kind in took if "search" in kind]
    facts = {
        "pages": _figures([took[kind] for kind in took if kind not in searches]),
        "searches": _figures([took[kind] for kind in searches]),
        "medians": {kind: [round(statistics.median(each)) for each in took[kind]] for kind in took},
        "queries": most,
    }
    return str(listed.model._meta.verbose_name_plural), facts


def _figures(took: Sequence[list[list[float]]]) -> list[float]:
    """Return the 95th percentiles of the milliseconds in each database, and their ratio."""
    few, many = (statistics.quantiles(chain(*of), n=20)[18] for of in zip(*took, strict=True))
    return [round(few, 1), round(many, 1), round(many / few, 2)]


def _client(database: Any) -> Client:
    client = Client(SERVER_NAME="localhost")
    with _opened(database):
        client.force_login(User.objects.get(username=PERSON))
    return client


def _milliseconds(database: Any, client: Client, address: str) -> float:
    with _opened(database):
        begun = time.perf_counter()
        page = client.get(address)
        taken = (time.perf_counter() - begun) * 1000
    if page.status_code != 200:
        raise Failed(f"GET {address}: {page.status_code}")
    return taken


def _queries(database: Any, client: Client, address: str) -> int:
    with _opened(database), CaptureQueriesContext(connection) as queries:
        client.get(address)
        return len(queries)


def _addresses(listed: List, database: Any) -> dict[str, str]:
    """Return the addresses of a list to ask for in a database, by what they are."""
    with _opened(database):
        middle = _middle(listed.model)
    asked = {
        "first page": {},
        "in the middle": {"p": middle},
        "a filter of most": listed.most,
        "a filter of few": listed.few,
        "a search for one": {"q": listed.one},
        "a search for nothing": {"q": NOTHING},
    }
    return {name: f"{list_address(listed.model)}?{urlencode(values)}" for name, values in asked.items()}


def _middle(model: type[Model]) -> str:
    """Return the token of the page behind a row in the middle of a list."""
    request = RequestFactory().get(list_address(model))
    request.user, request.session = User.objects.get(username=PERSON), SessionStore()
    page: Any = admin.site.get_model_admin(model).get_changelist_instance(request)
    row = model._base_manager.get(pk=FIRST_KEY + model._base_manager.count() // 2)
    return QueryDict(page.behind(row)[1:])["p"]
