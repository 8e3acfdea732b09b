"""History of rows that a library writes by itself, such as Django's users."""

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
    """A history whose rows may be saved without `save_as`. Signals then record them with the current author.

    `reason` is called with the previous state of the row (None if it is new) and the current one. It returns reason and
    message as for `save_as`, or an empty reason if no recorded column changed.
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
        """Write a history row with the current author and credential."""
        with provenance.by_credential(*credential()):
            self.record(instance, history_type, author=author(), reason=reason, message=message)
