"""What every test stands on: Hypothesis that takes the same path each time, and a flush that the guards allow."""

import os
from collections.abc import Iterator
from unittest import mock

import pytest
from django.db import connection
from django.test import TransactionTestCase
from hypothesis import HealthCheck, settings

from milo import append_only
from tests.live import certificates, live

__all__ = ["certificates", "live"]

settings.register_profile(
    "ci",
    derandomize=True,
    database=None,
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("explore", settings.get_profile("ci"), derandomize=False, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

flush = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]


def flush_without_guards(test_case: TransactionTestCase) -> None:
    """Empty the tables, which the guards refuse; the flush ends with `post_migrate`, which installs them again."""
    append_only.lift(connection, append_only.all_guards())
    flush(test_case)


@pytest.fixture(scope="session", autouse=True)
def flush_lifts_guards() -> Iterator[None]:
    with mock.patch.object(TransactionTestCase, "_fixture_teardown", flush_without_guards):
        yield
