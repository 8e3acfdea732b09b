"""History of rows that a library writes by itself, such as Django's users: whoever saves one, the history says so."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import models

from milo.audit import time_lines
from milo.audit.authors import author
from milo.audit.records import History

Reason = Callable[[Any, Any], str]


class LibraryHistory(History):
    """Nothing is refused: the author is whoever is at work, unless `save_as` has named one.

    `reason` is asked with the row as it was (None: it is new) and as it is, and returns a word and perhaps a sentence,
    as `save_as` writes them, or nothing where nothing changed that is recorded.
    """

    reason: Reason

    def instant(self, instance: models.Model) -> datetime:
        return time_lines.next_time(instance)

    def pre_save(self, instance: Any, **kwargs: Any) -> None:
        stored = type(instance)._base_manager.filter(pk=instance.pk)
        instance._stored = stored.first() if instance.pk and not instance._state.adding else None

    def post_save(self, instance: Any, created: bool, using: str | None = None, **kwargs: Any) -> None:
        stored = instance.__dict__.pop("_stored", None)
        if kwargs.get("raw"):
            return
        if reason := self.reason(None if created else stored, instance):
            self.record(instance, "+" if created else "~", reason)

    def pre_delete(self, instance: Any, **kwargs: Any) -> None:
        self.record(instance, "-", f"{type(instance).__name__}Deleted")

    def record(self, instance: Any, history_type: str, reason: str) -> None:
        """Write the history row of a row that was written, or is about to be deleted."""
        with _named(instance, reason):
            self.create_historical_record(instance, history_type)


@contextmanager
def _named(instance: Any, reason: str) -> Iterator[None]:
    given = hasattr(instance, "_history_user")
    if not given:
        instance._history_user, instance._change_reason = author(), reason
    try:
        yield
    finally:
        if not given:
            # simple-history would give the next save the same author and reason
            del instance._history_user, instance._change_reason
