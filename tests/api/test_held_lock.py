"""A writer that another one holds up for longer than it may wait: refused with 429, and nothing has changed."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import connection, transaction

from milo.kube.models import Counter
from milo.migrating.locks import brief_waits
from projects.models import Organization
from tests.api.client import ORGANIZATIONS, Api, nothing_changes
from tests.api.examples import an_organization
from tests.attacks.machinery import SQLITE
from tests.support.threads import attempt


@contextmanager
def held() -> Iterator[None]:
    """Hold what every writer needs: on SQLite the one turn, on PostgreSQL the counter of revisions."""
    begun, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            list(Counter.objects.select_for_update())
            begun.set()
            done.wait(60)

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(attempt, hold)
        assert begun.wait(60)
        try:
            yield
        finally:
            done.set()
            assert holding.result() is None


@pytest.mark.django_db(transaction=True)
def test_a_writer_that_waits_too_long_is_429_with_retry_after_and_changes_nothing(
    operator: Api, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert operator.get(ORGANIZATIONS).names() == ["acme-corp"]
    if connection.vendor == SQLITE:
        monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0)
    with brief_waits(connection), held():
        with nothing_changes():
            answer = operator.post(ORGANIZATIONS, an_organization("new-corp"))
            answer.refused(429, "TooManyRequests")
            assert answer.headers["Retry-After"] == "1"
        assert operator.get(ORGANIZATIONS).names() == ["acme-corp"]
    operator.post(ORGANIZATIONS, an_organization("new-corp")).done(201)
