"""What every test stands on: Hypothesis that takes the same path each time, the database of the run, and one payer."""

import gc
import os
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from django.db import connection
from django.test import TransactionTestCase
from hypothesis import HealthCheck, settings
from pytest_django import DjangoDbBlocker

from billing.models import BillingAccount
from milo import logs
from projects.models import Organization, Project
from tests.support import database, make
from tests.support.live import certificates, live
from tests.support.lock_order import watched
from tests.support.pages import kept_whole

__all__ = ["certificates", "live"]

settings.register_profile(
    "ci",
    derandomize=True,
    database=None,
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("explore", settings.get_profile("ci"), derandomize=False, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
    worker_id: str,
) -> Iterator[None]:
    shared = tmp_path_factory.getbasetemp()
    with (
        django_db_blocker.unblock(),
        database.made(shared if worker_id == "master" else shared.parent, worker_id),
        mock.patch.object(TransactionTestCase, "_fixture_teardown", database.empty),
    ):
        yield


@pytest.fixture(autouse=True, scope="session")
def pages(django_test_environment: None) -> Iterator[None]:
    with kept_whole():
        yield


@pytest.fixture(autouse=True)
def lock_order() -> Iterator[None]:
    """No transaction of a test locks rows in another order than that of docs/architecture.md."""
    if connection.vendor != "postgresql":
        yield
        return
    with watched() as order:
        yield
    assert not order.faults


@pytest.fixture
def json_lines(settings: Any) -> Iterator[None]:
    """Log lines as JSON, as outside development."""
    settings.MILO_LOG_FORMAT = "json"
    logs.configure(settings.LOGGING)
    yield
    settings.MILO_LOG_FORMAT = "console"
    logs.configure(settings.LOGGING)


@pytest.fixture
def organization(db: None) -> Organization:
    return make.an_organization("acme-corp")


@pytest.fixture
def project(organization: Organization) -> Project:
    """An Active project without a payer."""
    return make.a_project(organization, "webapp-frontend")


@pytest.fixture
def account(organization: Organization) -> BillingAccount:
    """A Ready account that pays for no project."""
    return make.a_ready_account(organization, "us")


@pytest.fixture
def invoiced_account(organization: Organization) -> BillingAccount:
    """A Ready account with an address for its invoices, which its notices go to."""
    return make.a_ready_account(organization, "us", invoice_email_addresses=["invoices@example.org"])


# each takes minutes in one process; begun last, they kept the whole run waiting
BEGUN_FIRST = ("test_benchmarks.py", "test_make_up.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that cannot reach the database of the run has nothing new to tell of a second engine."""
    items.sort(key=lambda item: item.path.name not in BEGUN_FIRST)
    reaching = {"db", "transactional_db", "django_db_reset_sequences", "django_db_setup"}
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if not item.get_closest_marker("django_db") and not fixtures & reaching:
            item.add_marker("once")


def pytest_configure() -> None:
    """Look for garbage after a hundred thousand new objects, not after seven hundred: that took a tenth of the time."""
    gc.set_threshold(100_000, *gc.get_threshold()[1:])


def pytest_collection_finish() -> None:
    """What is imported and collected stays until the end, so the garbage collector need not look at it again."""
    gc.collect()
    gc.freeze()
