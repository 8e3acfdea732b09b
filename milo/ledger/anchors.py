"""Places outside the database that are given the head of every seal, so that the tail cannot be cut off unseen.

MILO_LEDGER_ANCHOR names the class, MILO_LEDGER_ANCHOR_OPTIONS its arguments. A class of one's own has one method,
`keep(heads)`, which raises where the heads have not been kept for good. A head may be given twice.
"""

import json
import os
import urllib.request
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from django.utils import timezone
from django.utils.module_loading import import_string

from milo.ledger.models import Seal

log = structlog.get_logger(__name__)
AT_ONCE = 500


class Anchor(Protocol):
    def keep(self, heads: list[dict[str, Any]]) -> None: ...


class FileAnchor:
    """Appends heads to a file, a JSON object a line; best on a medium that the database's owner cannot write to."""

    def __init__(self, path: str = "") -> None:
        self._path = Path(path or settings.MILO_LEDGER_HEADS)

    def keep(self, heads: list[dict[str, Any]]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a") as file:
            file.write(_lines(heads))
            file.flush()
            os.fsync(file.fileno())


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST becomes a GET of an address that nobody configured, with the token: it counts as an error."""

    def redirect_request(self, *args: Any) -> None:
        return None


class WebhookAnchor:
    """POSTs heads as a JSON array to an https address, with a bearer token where one is given.

    Anything but a 2xx answer within 10 seconds counts as not kept.
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
        request = urllib.request.Request(self._url, json.dumps(heads).encode(), headers, method="POST")  # noqa: S310  the address is checked above
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=10):
            pass


class StorageAnchor:
    """Keeps heads in a storage of Django, each time in a new file that is named by the first and last number.

    `backend` is the class and `options` its arguments. With a bucket whose default retention is an object lock (S3:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html) nobody can take back what was kept.
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
    """What proves a seal, and with it all before it."""
    return {
        "number": seal.number,
        "at": seal.at.isoformat(),
        "digest": seal.digest,
        "keyId": seal.key_id,
        "signature": seal.signature,
    }


def hand_over() -> int:
    """Give the anchor every head that it lacks, oldest first; returns how many. What fails is owed to next time."""
    owed = Seal.objects.filter(handed_over_at=None).defer("leaves").order_by("number")
    given = 0
    while seals := list(owed[:AT_ONCE]):
        try:
            anchor().keep([head_of(seal) for seal in seals])
        except Exception:
            # an anchor may fail in ways of its own
            log.exception("seals_not_handed_over", first=seals[0].number)
            break
        numbers = [seal.number for seal in seals]
        given += Seal.objects.filter(number__in=numbers).update(handed_over_at=timezone.now())
    return given
