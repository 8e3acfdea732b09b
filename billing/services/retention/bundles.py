"""Archive bundles: all rows of one account as JSON Lines, and a manifest with the digest of each file.

A manifest is named by its own SHA-256 and names the folder of its parts, which is new at each attempt. So nothing in
the storage `archive` is ever overwritten: an attempt that crashed, or that ran at the same time, cannot damage the
bundle that the account's row names, and its files can be told from that bundle's.
"""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from typing import IO, Any
from uuid import uuid4

import structlog
from django.core.files import File
from django.core.files.storage import Storage, storages
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Max, Model, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.models import (
    ApprovalRequest,
    BillingAccount,
    BillingAccountAffiliation,
    BillingAccountBinding,
    Charge,
    Hold,
    Notice,
    PayerChange,
    Suspension,
    UsageRollup,
)
from milo import audit
from milo.outages import on_disk

log = structlog.get_logger(__name__)
IN_MEMORY = 1024 * 1024
LEDGER: dict[str, type[Model]] = {
    "account": BillingAccount,
    "bindings": BillingAccountBinding,
    "suspensions": Suspension,
    "approvals": ApprovalRequest,
    "charges": Charge,
    "holds": Hold,
    "payer-changes": PayerChange,
    "affiliations": BillingAccountAffiliation,
}
Redact = Callable[[type[Model], dict[str, Any]], dict[str, Any]]


class BundleDamaged(Exception):
    """A bundle, or a part of it, is missing or differs from what was written."""


def storage() -> Storage:
    """Return the storage `archive` of the settings."""
    return storages["archive"]


def place(account: BillingAccount) -> str:
    """Return the folder of every file of `account`."""
    return f"{account.organization.name}/{account.uid}"


def _manifest(sha256: str) -> str:
    return f"manifest-{sha256}.json"


def _of(model: type[Model], account: BillingAccount) -> dict[str, Any]:
    return {"id": account.pk} if model is BillingAccount else {"account_id": account.pk}


def _history(model: type[Model], account: BillingAccount) -> QuerySet[Any]:
    past: Any = audit.histories()[model].model_of(model)._default_manager
    rows: QuerySet[Any] = past.filter(**_of(model, account))
    return rows


def parts(account: BillingAccount) -> Iterator[tuple[str, type[Model], QuerySet[Any]]]:
    """Yield each part of the bundle: its file name, the model of its rows, and the rows in order."""
    for name, model in LEDGER.items():
        yield f"{name}.jsonl", model, model._default_manager.filter(**_of(model, account)).order_by("pk")
        yield f"{name}-history.jsonl", model, _history(model, account).order_by("history_id")
    yield "notices.jsonl", Notice, Notice.objects.filter(account=account).order_by("pk")
    yield "usage.jsonl", UsageRollup, UsageRollup.objects.filter(account=account).with_meters().order_by("pk")


def newest(account: BillingAccount) -> dict[str, int]:
    """Return the newest history id of each part: if these are the same, nothing of the account has changed."""
    return {
        name: _history(model, account).aggregate(newest=Max("history_id"))["newest"] or 0
        for name, model in LEDGER.items()
    }


def write(account: BillingAccount, redact: Redact | None = None) -> str:
    """Write a bundle of `account`, read it back and verify it; return the SHA-256 of its manifest.

    `redact` replaces each row before it is written. Memory is constant. Raises `BundleDamaged` if the files read back
    differ from what was written, `DiskFull`, and whatever the storage raises; what it has written is then deleted.
    """
    folder = uuid4().hex
    try:
        return _write(account, folder, redact)
    except Exception:
        # on a full disk the next attempt needs the room
        _delete_attempt(f"{place(account)}/{folder}")
        raise


def _write(account: BillingAccount, folder: str, redact: Redact | None) -> str:
    manifest = {
        "account": str(account.uid),
        "name": account.name,
        "organization": account.organization.name,
        "pseudonymised": redact is not None,
        "writtenAt": timezone.now(),
        "folder": folder,
        "parts": {
            name: _write_part(f"{place(account)}/{folder}/{name}", rows, model, redact)
            for name, model, rows in parts(account)
        },
    }
    content = json.dumps(manifest, cls=DjangoJSONEncoder, indent=1, sort_keys=True).encode()
    digest = hashlib.sha256(content).hexdigest()
    _save(f"{place(account)}/{_manifest(digest)}", BytesIO(content))
    verify(account, digest)
    return digest


def _delete_attempt(folder: str) -> None:
    try:
        for name in storage().listdir(folder)[1]:
            storage().delete(f"{folder}/{name}")
    except FileNotFoundError:
        # nothing was written
        return
    except Exception as error:
        # a storage may raise anything; the next attempt that succeeds deletes the files
        log.warning("archive_attempt_stays", folder=folder, error=error)


def _write_part(name: str, rows: QuerySet[Any], model: type[Model], redact: Redact | None) -> dict[str, Any]:
    digest, count = hashlib.sha256(), 0
    with tempfile.SpooledTemporaryFile(IN_MEMORY) as file:
        with on_disk("temporary files", tempfile.gettempdir()):
            for row in rows.values().iterator():
                line = json.dumps(redact(model, row) if redact else row, cls=DjangoJSONEncoder, sort_keys=True) + "\n"
                file.write(line.encode())
                digest.update(line.encode())
                count += 1
        _save(name, file)
    return {"sha256": digest.hexdigest(), "rows": count}


def _save(name: str, content: IO[bytes]) -> None:
    content.seek(0)
    # a storage may choose another name for one that is taken
    with on_disk("archive", getattr(storage(), "location", "")):
        stored = storage().save(name, File(content))
    if stored != name:
        raise BundleDamaged(_("%(name)s was stored as %(kept)s") % {"name": name, "kept": stored})


def verify(account: BillingAccount, sha256: str) -> int:
    """Read the bundle whose manifest has the SHA-256 `sha256`, compare every digest, and return its number of rows.

    Raises `BundleDamaged` naming the first file that is missing or differs, and whatever the storage raises.
    """
    name = f"{place(account)}/{_manifest(sha256)}"
    try:
        with storage().open(name) as file:
            content = file.read()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise BundleDamaged(_("%(name)s is not what was written") % {"name": name})
        manifest = json.loads(content)
        folder = f"{place(account)}/{manifest['folder']}"
        return sum(_verify_part(f"{folder}/{part}", entry) for part, entry in manifest["parts"].items())
    except FileNotFoundError as error:
        raise BundleDamaged(_("%(name)s is missing") % {"name": error.filename or place(account)}) from error


def _verify_part(name: str, entry: Mapping[str, Any]) -> int:
    digest, count = hashlib.sha256(), 0
    with storage().open(name) as file:
        while chunk := file.read(IN_MEMORY):
            digest.update(chunk)
            count += chunk.count(b"\n")
    if count != entry["rows"]:
        message = _("%(name)s has %(count)d rows, not %(said)d")
        raise BundleDamaged(message % {"name": name, "count": count, "said": entry["rows"]})
    if digest.hexdigest() != entry["sha256"]:
        raise BundleDamaged(_("%(name)s is not what was written") % {"name": name})
    return count


def strays(account: BillingAccount) -> list[str]:
    """Return every file of `account` outside its present bundle: earlier attempts, or the bundle before a purge."""
    manifest = _manifest(account.archive_sha256)
    with storage().open(f"{place(account)}/{manifest}") as file:
        folder = json.load(file)["folder"]
    folders, files = storage().listdir(place(account))
    names = [name for name in files if name != manifest]
    for stray in sorted(set(folders) - {folder}):
        names += [f"{stray}/{name}" for name in storage().listdir(f"{place(account)}/{stray}")[1]]
    return [f"{place(account)}/{name}" for name in names]


def delete_strays(account: BillingAccount) -> None:
    """Delete every file of `account` outside its present bundle. Idempotent: a repeat finishes what was interrupted."""
    for name in strays(account):
        storage().delete(name)
