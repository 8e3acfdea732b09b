"""Archive bundles: all that is known of one account, as JSON Lines, with a manifest that proves them whole.

A bundle is a folder in the storage `archive`, always the same one for an account, so that writing again replaces it.
"""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any

from django.core.files import File
from django.core.files.storage import Storage, storages
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Max, Model, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.models import (
    ApprovalRequest,
    BillingAccount,
    BillingAccountBinding,
    Charge,
    Hold,
    Notice,
    Suspension,
)

MANIFEST = "manifest.json"
IN_MEMORY = 1024 * 1024
LEDGER: dict[str, type[Model]] = {
    "account": BillingAccount,
    "bindings": BillingAccountBinding,
    "suspensions": Suspension,
    "approvals": ApprovalRequest,
    "charges": Charge,
    "holds": Hold,
}
Redact = Callable[[type[Model], dict[str, Any]], dict[str, Any]]


class Broken(Exception):
    """A bundle is missing, or is not what was written."""


def storage() -> Storage:
    return storages["archive"]


def folder(account: BillingAccount, *, pseudonymised: bool) -> str:
    """Where the bundle of `account` stands; that without personal data stands beside the first until it is proven."""
    part = "pseudonymised" if pseudonymised else "complete"
    return f"{account.organization.name}/{account.uid}/{part}"


def _of(model: type[Model], account: BillingAccount) -> dict[str, Any]:
    return {"id": account.pk} if model is BillingAccount else {"account_id": account.pk}


def _history(model: type[Model], account: BillingAccount) -> QuerySet[Any]:
    past: Any = model.history.model.objects  # type: ignore[attr-defined]
    rows: QuerySet[Any] = past.filter(**_of(model, account))
    return rows


def parts(account: BillingAccount) -> Iterator[tuple[str, type[Model], QuerySet[Any]]]:
    """Each part of the bundle: its file, the model whose columns its rows have, the rows in order."""
    for name, model in LEDGER.items():
        yield f"{name}.jsonl", model, model._default_manager.filter(**_of(model, account)).order_by("pk")
        yield f"{name}-history.jsonl", model, _history(model, account).order_by("history_id")
    yield "notices.jsonl", Notice, Notice.objects.filter(account=account).order_by("pk")


def newest(account: BillingAccount) -> dict[str, int]:
    """The newest history row of each part: while it stays the same, nothing of the account has changed."""
    return {
        name: _history(model, account).aggregate(newest=Max("history_id"))["newest"] or 0
        for name, model in LEDGER.items()
    }


def write(account: BillingAccount, redact: Redact | None = None) -> str:
    """Write the bundle of `account`, read it back, verify it; returns the SHA-256 of its manifest.

    With `redact`, each row as that makes it, in the folder for bundles without personal data. Memory stays constant.
    Raises `Broken` where what is read back differs from what was written, and whatever the storage raises.
    """
    place = folder(account, pseudonymised=redact is not None)
    written = {name: _write_part(f"{place}/{name}", rows, model, redact) for name, model, rows in parts(account)}
    manifest = {
        "account": str(account.uid),
        "name": account.name,
        "organization": account.organization.name,
        "pseudonymised": redact is not None,
        "writtenAt": timezone.now(),
        "parts": written,
    }
    content = json.dumps(manifest, cls=DjangoJSONEncoder, indent=1, sort_keys=True).encode()
    with tempfile.TemporaryFile() as file:
        file.write(content)
        _save(f"{place}/{MANIFEST}", file)
    digest = hashlib.sha256(content).hexdigest()
    verify(account, digest, pseudonymised=redact is not None)
    return digest


def _write_part(name: str, rows: QuerySet[Any], model: type[Model], redact: Redact | None) -> dict[str, Any]:
    digest, count = hashlib.sha256(), 0
    with tempfile.SpooledTemporaryFile(IN_MEMORY) as file:
        for row in rows.values().iterator():
            line = json.dumps(redact(model, row) if redact else row, cls=DjangoJSONEncoder, sort_keys=True) + "\n"
            file.write(line.encode())
            digest.update(line.encode())
            count += 1
        _save(name, file)
    return {"sha256": digest.hexdigest(), "rows": count}


def _save(name: str, content: IO[bytes]) -> None:
    content.seek(0)
    kept = storage().save(name, File(content))
    if kept != name:
        raise Broken(_("%(name)s was stored as %(kept)s: the storage must overwrite") % {"name": name, "kept": kept})


def verify(account: BillingAccount, sha256: str, *, pseudonymised: bool) -> int:
    """Read the whole bundle of `account` and compare it with its manifest, and that with `sha256`; returns its rows.

    Raises `Broken` naming the first thing that is missing or differs, and whatever the storage raises.
    """
    place = folder(account, pseudonymised=pseudonymised)
    try:
        with storage().open(f"{place}/{MANIFEST}") as file:
            content = file.read()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise Broken(_("%(name)s is not the manifest that was written") % {"name": f"{place}/{MANIFEST}"})
        manifest = json.loads(content)
        return sum(_verify_part(f"{place}/{name}", said) for name, said in manifest["parts"].items())
    except FileNotFoundError as error:
        raise Broken(_("%(name)s is missing") % {"name": error.filename or place}) from error


def _verify_part(name: str, said: Mapping[str, Any]) -> int:
    digest, count = hashlib.sha256(), 0
    with storage().open(name) as file:
        while chunk := file.read(IN_MEMORY):
            digest.update(chunk)
            count += chunk.count(b"\n")
    if count != said["rows"]:
        message = _("%(name)s has %(count)d rows, not %(said)d")
        raise Broken(message % {"name": name, "count": count, "said": said["rows"]})
    if digest.hexdigest() != said["sha256"]:
        raise Broken(_("%(name)s is not what was written") % {"name": name})
    return count


def has_original(account: BillingAccount) -> bool:
    """Whether the bundle with personal data is still there. Its manifest goes last, so that no remainder is missed."""
    return storage().exists(f"{folder(account, pseudonymised=False)}/{MANIFEST}")


def delete_original(account: BillingAccount) -> None:
    """Delete the bundle with personal data; a repeat finishes what was interrupted."""
    place = folder(account, pseudonymised=False)
    for name, _model, _rows in parts(account):
        storage().delete(f"{place}/{name}")
    storage().delete(f"{place}/{MANIFEST}")
