"""An object store by settings alone: the archive, and the heads of seals in a bucket with an object lock.

The store is moto's, a server that speaks S3 on this machine, and django-storages goes to it as to any other.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from django.utils import timezone
from moto.server import ThreadedMotoServer

from billing.models import BillingAccount
from billing.tasks import archive_accounts
from milo.ledger import seals
from milo.ledger.models import Seal
from tests.support import make, tamper
from tests.support.retention import a_closed_account, noon, part

pytestmark = [pytest.mark.django_db, pytest.mark.once]
STORAGE = "storages.backends.s3.S3Storage"
WHO = {"region_name": "eu-central-1"}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def store(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of the store beside Milo's; both have their credentials from the environment, as on a server."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tests")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the tests")
    return boto3.client("s3", endpoint_url=endpoint, **WHO)


def a_bucket(store: Any, name: str, **how: Any) -> dict[str, Any]:
    """The options of a storage that keeps its files in a new bucket."""
    store.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}, **how)
    return {"bucket_name": name, "endpoint_url": store.meta.endpoint_url, **WHO}


def test_accounts_are_archived_to_a_bucket_and_verified_there(
    store: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = a_bucket(store, "archive")
    settings.STORAGES = {**settings.STORAGES, "archive": {"BACKEND": STORAGE, "OPTIONS": options}}
    monkeypatch.setattr(timezone, "now", lambda: noon("2026-01-10"))
    closed = a_closed_account(make.an_organization("acme-corp"))
    monkeypatch.setattr(timezone, "now", lambda: noon("2026-04-11"))
    assert archive_accounts() == 1
    account = BillingAccount.objects.get(pk=closed.pk)
    assert account.phase == "Archived"
    out = StringIO()
    call_command("archive", "verify", stdout=out)
    assert "1 bundles checked, 0 broken" in out.getvalue()

    charges = part(account, "charges.jsonl")
    store.put_object(Bucket="archive", Key=charges, Body=b"forged\n")
    with pytest.raises(CommandError):
        call_command("archive", "verify", stdout=out, stderr=out)
    assert f"{charges} is not what was written" in out.getvalue()
    store.delete_object(Bucket="archive", Key=charges)
    with pytest.raises(CommandError):
        call_command("archive", "verify", stdout=out, stderr=out)
    assert "is missing" in out.getvalue()
    assert storages["archive"].exists(charges) is False


def test_heads_in_a_bucket_with_an_object_lock_cannot_be_taken_back_and_miss_what_was_cut_off(
    store: Any, settings: Any, tmp_path: Path
) -> None:
    options = a_bucket(store, "ledger-heads", ObjectLockEnabledForBucket=True)
    retention = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 3650}}
    store.put_object_lock_configuration(
        Bucket="ledger-heads", ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": retention}
    )
    settings.MILO_LEDGER_ANCHOR = "milo.ledger.anchors.StorageAnchor"
    settings.MILO_LEDGER_ANCHOR_OPTIONS = {"backend": STORAGE, "options": options}
    for _ in range(2):
        make.an_organization()
        seals.seal()
    assert not Seal.objects.filter(handed_over_at=None).exists()

    kept = store.list_object_versions(Bucket="ledger-heads")["Versions"]
    assert [each["Key"] for each in kept] == [f"heads-{n:012}-{n:012}.jsonl" for n in (1, 2)]
    for each in kept:
        named = {"Bucket": "ledger-heads", "Key": each["Key"], "VersionId": each["VersionId"]}
        lock = store.head_object(**named)
        assert lock["ObjectLockMode"] == "COMPLIANCE"
        assert lock["ObjectLockRetainUntilDate"] > datetime.now(UTC) + timedelta(days=3600)
        with pytest.raises(ClientError, match="AccessDenied"):
            store.delete_object(**named)

    heads = tmp_path / "heads.jsonl"
    heads.write_bytes(
        b"".join(store.get_object(Bucket="ledger-heads", Key=each["Key"])["Body"].read() for each in kept)
    )
    assert [json.loads(line)["number"] for line in heads.read_text().splitlines()] == [1, 2]
    call_command("ledger", "verify", "--against", str(heads), stdout=StringIO())
    with tamper.guards_off():
        tamper.remove(Seal.objects.latest("number"))
    err = StringIO()
    with pytest.raises(CommandError):
        call_command("ledger", "verify", "--against", str(heads), stdout=StringIO(), stderr=err)
    assert "seals up to number 2 were handed over, and the chain ends at 1" in err.getvalue()
