"""History of rows that a library writes by itself, such as Django's users: whoever saves one, the history says so."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import models

from milo import provenance
from milo.audit import time_lines
from milo.audit.authors import author, credential
from milo.audit.records import History
from milo.audit.transactions import is_written

Reason = Callable[[Any, Any], tuple[str, str]]


class LibraryHistory(History):
    """Nothing is refused: what `save_as` does not write is recorded by signals, in the name of whoever is at work.

    `reason` is asked with the row as it was (None: it is new) and as it is, and returns a reason and a message as
    `save_as` takes them, or an empty reason where nothing changed that is recorded.
    """

    reason: Reason

    def instant(self, instance: models.Model) -> datetime:
        return time_lines.next_time(instance)

    def pre_save(self, instance: Any, **kwargs: Any) -> None:
        if is_written(instance):
            return
        stored = type(instance)._base_manager.filter(pk=instance.pk)
        instance._stored = stored.first() if instance.pk and not instance._state.adding else None

    def post_save(self, instance: Any, created: bool, using: str | None = None, **kwargs: Any) -> None:
        if is_written(instance):
            return
        stored = instance.__dict__.pop("_stored", None)
        if kwargs.get("raw"):
            return
        reason, message = self.reason(None if created else stored, instance)
        if reason:
            self.record_of_author(instance, "+" if created else "~", reason=reason, message=message)

    def pre_delete(self, instance: Any, **kwargs: Any) -> None:
        if not is_written(instance):
            self.record_of_author(instance, "-", reason=f"{type(instance).__name__}Deleted")

    def record_of_author(self, instance: models.Model, history_type: str, *, reason: str, message: str = "") -> None:
        """Record in the name of whoever is at work, and by which credential they are here."""
        with provenance.by_credential(*credential()):
            self.record(instance, history_type, author=author(), reason=reason, message=message)
