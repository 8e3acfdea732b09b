"""Answers to requests with an Idempotency-Key, stored in the transaction of their effect.

A crash leaves both or neither, so a client that lost the answer gets it, or the effect, by repeating the request.
"""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection
from django.http import HttpResponse
from django.utils import timezone

from milo import clock
from milo.kube.models import RecordedResponse
from milo.kube.wire import idempotency

KEPT_FOR = timedelta(hours=24)
_at_work: set[str] = set()
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A request with a key: `address` is method and path, `content` the query and the body.

    Keys of other actors and at other addresses are independent.
    """

    actor: str
    address: str
    key: str
    content: bytes

    @property
    def digest(self) -> str:
        return _digest(self.actor.encode(), self.address.encode(), self.key.encode())

    @property
    def fingerprint(self) -> str:
        return _digest(self.content)


def _digest(*parts: bytes) -> str:
    lengths = b"".join(len(part).to_bytes(8, "big") for part in parts)
    return hashlib.sha256(lengths + b"".join(parts)).hexdigest()


@contextmanager
def lock_exclusive(request: KeyedRequest) -> Iterator[None]:
    """Raise `InProgress` if a thread of this process is processing the same request.

    Enter it before the transaction, which on SQLite would wait for that thread.
    """
    digest = request.digest
    with _lock:
        if digest in _at_work:
            raise idempotency.InProgress
        _at_work.add(digest)
    try:
        yield
    finally:
        with _lock:
            _at_work.discard(digest)


def find(request: KeyedRequest) -> RecordedResponse | None:
    """Return the answer of the last 24 hours to this request, if any.

    Call it in the transaction that will store the answer. Raises `InProgress` if another process is processing the
    request (PostgreSQL; SQLite's writers wait for each other), and `Invalid` if the key was sent with other content.
    """
    _claim(request.digest)
    recorded = RecordedResponse.objects.filter(pk=request.digest).first()
    if recorded is None or recorded.at < timezone.now() - KEPT_FOR:
        return None
    if recorded.fingerprint != request.fingerprint:
        raise idempotency.reused()
    return recorded


def is_recorded(request: KeyedRequest) -> bool:
    """Return whether an answer of the last 24 hours to this request is stored, whatever its content."""
    return RecordedResponse.objects.filter(pk=request.digest, at__gte=timezone.now() - KEPT_FOR).exists()


def _claim(digest: str) -> None:
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        # released at the end of the transaction, and so after a crash too
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [int(digest[:16], 16) - 2**63])
        if not cursor.fetchone()[0]:
            raise idempotency.InProgress


def record(request: KeyedRequest, response: HttpResponse, *, revision: str, organization_id: int | None) -> None:
    """Store the answer to the request, in the transaction of its effect."""
    RecordedResponse.objects.filter(pk=request.digest).delete()
    RecordedResponse.objects.bulk_create(
        [
            RecordedResponse(
                request=request.digest,
                fingerprint=request.fingerprint,
                at=timezone.now(),
                status=response.status_code,
                content_type=response["Content-Type"],
                warning=response.get("Warning", ""),
                body=response.content,
                revision=revision,
                organization_id=organization_id,
            )
        ]
    )


def replay(recorded: RecordedResponse) -> HttpResponse:
    """Return the stored answer, with the header that marks it as such."""
    response = HttpResponse(bytes(recorded.body), content_type=recorded.content_type, status=recorded.status)
    response[idempotency.REPLAYED] = "true"
    if recorded.warning:
        response["Warning"] = recorded.warning
    return response


def forget(batch: int = 1000) -> int:
    """Delete the answers that are older than 24 hours. Returns the number of deleted rows.

    Raises `ClockWrong`: a request whose answer went too early would take effect twice.
    """
    clock.refuse_wrong()
    old = RecordedResponse.objects.filter(at__lt=timezone.now() - KEPT_FOR).order_by("at")
    deleted = 0
    # in batches, so that SQLite's one writer is never held up for long
    while gone := list(old.values_list("pk", flat=True)[:batch]):
        deleted += RecordedResponse.objects.filter(pk__in=gone).delete()[0]
    return deleted
