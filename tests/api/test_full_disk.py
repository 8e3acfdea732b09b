"""A full disk: reading goes on, writing is refused and says why, and goes on once there is room."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from milo import disks
from tests.api.client import ORGANIZATIONS, Api, nothing_changes
from tests.api.examples import an_organization
from tests.attacks.machinery import SQLITE, execute

FULL = "the disk of the database is full: nothing has changed, and reading goes on"


@contextmanager
def no_room() -> Iterator[None]:
    """Let no page be added to the file of the database. SQLite reports that as it does a full disk."""
    execute("VACUUM")
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA page_count")
        (pages,) = cursor.fetchone()
        cursor.execute(f"PRAGMA max_page_count = {pages}")
        try:
            yield
        finally:
            cursor.execute("PRAGMA max_page_count = 1000000000")


def large(name: str) -> dict[str, Any]:
    manifest = an_organization(name)
    manifest["metadata"]["annotations"] = {"note": "a long note " * 15_000}
    return manifest


@pytest.mark.django_db(transaction=True)
def test_with_a_full_disk_sqlite_goes_on_reading_and_refuses_to_write(
    operator: Api, organization: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    if connection.vendor != SQLITE:
        return
    with no_room():
        with nothing_changes():
            status = operator.post(ORGANIZATIONS, large("new-corp")).refused(503, "ServiceUnavailable")
        assert status["message"] == FULL
        assert operator.get(ORGANIZATIONS).names() == ["acme-corp"]
    assert f"folder={connection.settings_dict['NAME'].rpartition('/')[0]}" in capsys.readouterr().err
    operator.post(ORGANIZATIONS, large("new-corp")).done(201)


@pytest.mark.django_db
def test_readiness_says_which_disk_is_full_and_stays_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.DATA_DIR
    monkeypatch.setattr(disks, "LEAST_FREE_BYTES", 2**62)
    monkeypatch.setattr(settings, "DATA_DIR", settings.BASE_DIR)
    answer = Client().get("/readyz")
    assert answer.status_code == 200
    assert "disk: the disk of MILO_DATA_DIR is full" in answer.json()["degraded"]
