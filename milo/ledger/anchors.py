"""Anchors: stores outside the database for the head of every seal, which reveal a truncated chain.

MILO_LEDGER_ANCHOR names the class, MILO_LEDGER_ANCHOR_OPTIONS its arguments. A class of your own has one method,
`keep(heads)`, which raises unless the heads were stored durably. A head may be delivered twice.
"""

import json
import os
import urllib.request
from io import RawIOBase
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from django.utils import timezone
from django.utils.module_loading import import_string

from milo import disks
from milo.ledger.models import Seal

log = structlog.get_logger(__name__)
AT_ONCE = 500
PIECE = 4096
"""Bytes; the line of a head has about 350, that of a break 70 for each lost seal."""


class Anchor(Protocol):
    def keep(self, heads: list[dict[str, Any]]) -> None: ...


class FileAnchor:
    """Appends heads to a file, one JSON object a line. Put it where the database's owner cannot write.

    A line that was written in part, because the disk was full or the power was cut, is removed: its head was not
    delivered, and is delivered again.
    """

    def __init__(self, path: str = "") -> None:
        self._path = Path(path or settings.MILO_LEDGER_HEADS)

    def keep(self, heads: list[dict[str, Any]]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # unbuffered, or closing the file would write again what did not fit
        with self._path.open("a+b", buffering=0) as file:
            _drop_partial_line(file)
            try:
                _write_whole(file, _lines(heads).encode())
                os.fsync(file.fileno())
            except OSError as error:
                if disks.is_full(error):
                    disks.log_full("heads", self._path.parent)
                _drop_partial_line(file)
                raise


def _write_whole(file: RawIOBase, content: bytes) -> None:
    while content:
        content = content[file.write(content) or 0 :]


def _drop_partial_line(file: RawIOBase) -> None:
    """Truncate `file` after its last line feed."""
    end = whole = file.seek(0, os.SEEK_END)
    while whole:
        start = file.seek(max(0, whole - PIECE))
        if feed := (file.read(whole - start) or b"").rfind(b"\n") + 1:
            whole = start + feed
            break
        whole = start
    if whole < end:
        file.truncate(whole)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Refuses redirects: they would send the token, as a GET, to an address that is not configured."""

    def redirect_request(self, *args: Any) -> None:
        return None


class WebhookAnchor:
    """POSTs heads as a JSON array to an https address, with a bearer token if one is configured.

    Anything but a 2xx answer within 10 seconds is a failure.
    """

    def __init__(self, url: str, token: str = "") -> None:
        where = urlsplit(url)
        if where.scheme != "https" and (where.scheme, where.hostname) != ("http", "127.0.0.1"):
            raise ValueError("heads are sent over https only")
        self._url, self._token = url, token

    def keep(self, heads: list[dict[str, Any]]) -> None:
        headers = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {self._token}"} if self._token else {}
        )
        request = urllib.request.Request(self._url, json.dumps(heads).encode(), headers, method="POST")  # noqa: S310  the URL is checked above
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=10):
            pass


class StorageAnchor:
    """Stores heads in a Django storage, each batch in a new file named by its first and last number.

    `backend` is the class and `options` its arguments. In a bucket with an object lock as default retention (S3:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html) nobody can delete or replace them.
    """

    def __init__(self, backend: str, options: dict[str, Any] | None = None) -> None:
        self._storage: Storage = import_string(backend)(**options or {})

    def keep(self, heads: list[dict[str, Any]]) -> None:
        name = f"heads-{heads[0]['number']:012}-{heads[-1]['number']:012}.jsonl"
        self._storage.save(name, ContentFile(_lines(heads).encode()))


def _lines(heads: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(head, sort_keys=True) + "\n" for head in heads)


def anchor() -> Anchor:
    made: Anchor = import_string(settings.MILO_LEDGER_ANCHOR)(**settings.MILO_LEDGER_ANCHOR_OPTIONS)
    return made


def head_of(seal: Seal) -> dict[str, Any]:
    """Return the head of a seal, which proves the seal and all before it."""
    return {
        "number": seal.number,
        "at": seal.at.isoformat(),
        "digest": seal.digest,
        "keyId": seal.key_id,
        "signature": seal.signature,
    }


def hand_over() -> int:
    """Deliver every outstanding head to the anchor, oldest first. Return how many. A failure is retried next time."""
    outstanding = Seal.objects.filter(handed_over_at=None).defer("leaves").order_by("number")
    delivered = 0
    while seals := list(outstanding[:AT_ONCE]):
        try:
            anchor().keep([head_of(seal) for seal in seals])
        except Exception:
            # an anchor may raise any exception
            log.exception("seals_not_handed_over", first=seals[0].number)
            break
        numbers = [seal.number for seal in seals]
        delivered += Seal.objects.filter(number__in=numbers).update(handed_over_at=timezone.now())
    return delivered
