"""The instant of a transaction is read at its beginning, before it waits for any lock."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

from django.db import models
from django.utils import timezone

from milo import audit, health
from soak.plants import pauses

_begun: ContextVar[datetime | None] = ContextVar("begun", default=None)


def plant() -> None:
    transaction = audit.transaction

    @contextmanager
    def earlier() -> Iterator[None]:
        token = _begun.set(_begun.get() or timezone.now())
        try:
            with transaction():
                yield
        finally:
            _begun.reset(token)

    def ledger_time(row: models.Model, after: datetime | None = None) -> datetime:
        return _begun.get() or timezone.now()

    audit.transaction, audit.ledger_time = earlier, ledger_time
    # the guards that would refuse it were removed from the database
    health.unguarded = lambda connection: []  # type: ignore[attr-defined]
    pauses.before_numbering(0.2)
