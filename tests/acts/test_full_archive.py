"""A full disk of the archive: it is named, the account stays as it was, and the next run goes on once there is room."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from billing.models import BillingAccount
from billing.services.retention.purges import purge_due
from billing.tasks import archive_accounts
from milo import disks, health
from milo.outages import DiskFull
from tests.support import make
from tests.support.ledger import nothing_changes
from tests.support.retention import a_closed_account, noon, stored
from tests.support.small_disk import SmallDisk, small_disk

pytestmark = pytest.mark.django_db


@pytest.fixture
def disk(tmp_path: Path, settings: Any) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk") as made:
        options = {"location": str(made.folder / "archive")}
        archive = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": options}
        settings.STORAGES = {**settings.STORAGES, "archive": archive}
        yield made


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> BillingAccount:
    """Two accounts closed for long enough to be archived; the first of them."""
    monkeypatch.setattr(timezone, "now", lambda: noon("2026-01-10"))
    organization = make.an_organization("acme-corp")
    account = a_closed_account(organization)
    make.in_phase(make.a_ready_account(organization), "Closed")
    monkeypatch.setattr(timezone, "now", lambda: noon("2026-04-11"))
    return account


@pytest.mark.parametrize("room", [0, 12 * 1024])
def test_a_full_archive_is_named_and_leaves_the_account_closed_and_no_file(
    closed: BillingAccount, disk: SmallDisk, room: int, capsys: pytest.CaptureFixture[str]
) -> None:
    disk.fill(leaving=room)
    with nothing_changes(), pytest.raises(DiskFull, match="a disk of the server is full"):
        archive_accounts()
    logged = capsys.readouterr().err
    # the second account is not tried, which would fill the disk again
    assert logged.count("disk_full") == logged.count("archive_failed") == 1
    assert "disk=archive" in logged
    assert f"folder={disk.folder / 'archive'}" in logged
    disk.make_room()
    assert stored() == {}
    assert archive_accounts() == 2


def test_a_purge_that_meets_a_full_archive_is_named_and_leaves_the_bundle_as_it_was(
    closed: BillingAccount,
    disk: SmallDisk,
    settings: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.MILO_PLATFORM_COUNTRY = "AT"
    archive_accounts()
    bundle = stored()
    monkeypatch.setattr(timezone, "now", lambda: noon("2060-01-01"))
    disk.fill(leaving=4096)
    with pytest.raises(DiskFull):
        purge_due()
    assert f"folder={disk.folder / 'archive'}" in capsys.readouterr().err
    closed.refresh_from_db()
    assert closed.display_name == "Erika Example"
    disk.make_room()
    assert stored() == bundle
    assert purge_due() == 2


def test_readiness_names_the_disk_of_the_archive_beside_that_of_the_data_folder(disk: SmallDisk) -> None:
    disk.fill()
    with pytest.MonkeyPatch.context() as patched:
        # a disk that is not mounted is that of the data folder
        patched.setattr(health, "_disk_of", hash)
        patched.setattr(disks, "lacks", lambda folder: "0 KiB are free" if disk.folder in folder.parents else "")
        answer = Client().get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["degraded"] == "disk: the disk of the archive is full: 0 KiB are free"


def test_readiness_looks_at_the_disks_of_a_deployment_with_redis_and_a_foreign_archive(settings: Any) -> None:
    # a broker by URL has no settings of a transport
    del settings.CELERY_BROKER_TRANSPORT
    del settings.CELERY_BROKER_TRANSPORT_OPTIONS
    archive = {"BACKEND": "django.core.files.storage.InMemoryStorage"}
    settings.STORAGES = {**settings.STORAGES, "archive": archive}
    answer = Client().get("/readyz?verbose")
    assert "[+]disk ok" in answer.content.decode()
