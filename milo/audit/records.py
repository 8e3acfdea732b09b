"""History rows of django-simple-history, which the database copies from the row, with author, instant and reason."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from inspect import getattr_static
from typing import Any

from django.db import IntegrityError, connection, models
from django.utils.functional import cached_property
from simple_history.models import HistoricalRecords

from milo import clock, provenance
from milo.audit import time_lines
from milo.audit.transactions import Anonymous, is_written
from milo.columns import Columns
from milo.phases import PhaseLoading
from milo.races import refused_by

_histories: dict[type[models.Model], "History"] = {}


def _refuse_anonymous(instance: models.Model) -> None:
    if not is_written(instance):
        raise Anonymous(f"{instance._meta.label} is written through milo.audit only")


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        clock.explain_refusal(refused_by(error))
        raise


class History(HistoricalRecords):  # type: ignore[misc]
    """The history of a model, written by `save_as` and `delete_as` through `record`, not by signals.

    The database copies the written row, while simple-history would write the object in memory, which may differ. Its
    signals are used as a safeguard: a write that bypasses `save_as` is refused before anything changes.
    """

    said_personal: tuple[str, ...] = ()
    unrecorded: tuple[str, ...] = ()
    organization: str = ""
    time_line: str = ""

    @property
    def personal(self) -> tuple[str, ...]:
        """Return the columns that are purged at the end of the retention; our own models declare them in `columns`."""
        columns: Columns | None = getattr(self.cls, "columns", None)
        return columns.personal if columns else self.said_personal

    def model_of(self, tracked: type[models.Model]) -> type[models.Model]:
        """Return the model of the history rows of `tracked`."""
        # not by attribute: at each access, simple-history makes a class of managers
        model: type[models.Model] = getattr_static(tracked, self.manager_name).model
        return model

    def record(self, instance: models.Model, history_type: str, *, author: str, reason: str, message: str = "") -> None:
        """Write the history row of a row that was created (`+`), changed (`~`), or is about to be deleted (`-`).

        `reason` is one CamelCase word, `message` a sentence for people. Request, credential and approval come from the
        defaults of their columns.
        Raises `ClockWrong` if PostgreSQL refuses the instant.
        """
        values = self._values(instance, history_type, author, reason, message)
        with _explained(), connection.cursor() as cursor:
            cursor.execute(self._statement, values)

    def record_all(
        self, messages: Sequence[tuple[models.Model, str]], history_type: str, *, author: str, reason: str
    ) -> None:
        """Write the history rows of many rows, each with its message, as `record` writes one.

        The number of round trips does not depend on that of the rows. Raises `ClockWrong`.
        """
        time_lines.read_time_lines([instance for instance, _message in messages])
        values = [self._values(instance, history_type, author, reason, message) for instance, message in messages]
        with _explained(), connection.cursor() as cursor:
            cursor.executemany(self._statement, values)

    def _values(self, instance: models.Model, history_type: str, author: str, reason: str, message: str) -> list[Any]:
        known = {
            "history_date": self.instant(instance),
            "history_type": history_type,
            "history_user_id": author,
            "history_change_reason": reason,
            "history_change_message": message,
            **self.digests_of(instance),
        }
        values = [known[column.name] if column.name in known else column.get_default() for column in self.added]
        prepared = [
            column.get_db_prep_save(value, connection) for column, value in zip(self.added, values, strict=True)
        ]
        return [*prepared, instance.pk]

    def instant(self, instance: models.Model) -> datetime:
        """Return the instant (UTC) of a change. The transaction must hold the lock of the timeline."""
        return time_lines.history_time(instance)

    def digests_of(self, instance: models.Model) -> dict[str, str]:
        """Return columns of the history row with digests of secrets that are not copied."""
        return {}

    @property
    def function(self) -> str:
        """Return the name of PostgreSQL's function that writes a history row (milo/ledger/guards.py)."""
        return f"record_{self.cls._meta.model_name}"

    def pre_save(self, instance: models.Model, **kwargs: Any) -> None:
        """Refuse a write without author before it happens."""
        _refuse_anonymous(instance)

    def post_save(self, instance: models.Model, created: bool, using: str | None = None, **kwargs: Any) -> None:
        """Do nothing; `save_as` writes the history row."""

    def pre_delete(self, instance: models.Model, **kwargs: Any) -> None:
        """Refuse a deletion without author before it happens."""
        _refuse_anonymous(instance)

    def post_delete(self, instance: models.Model, using: str | None = None, **kwargs: Any) -> None:
        """Do nothing; `delete_as` has written the history row."""

    @cached_property
    def added(self) -> "list[models.Field[Any, Any]]":
        """Return the columns that are not copied from the row: instant, type, author, reason and provenance."""
        history = self.model_of(self.cls)._meta
        return [of for of in history.concrete_fields if of.column not in self._copied and not of.primary_key]

    @cached_property
    def _copied(self) -> list[str]:
        tracked = {column.column for column in self.cls._meta.concrete_fields}
        history = self.model_of(self.cls)._meta
        return [str(of.column) for of in history.concrete_fields if of.column in tracked]

    def types(self) -> list[str]:
        """Return the PostgreSQL types of the arguments of `function`: those of `given`, then the key of the row."""
        names = {models.DateTimeField: "timestamptz", models.UUIDField: "uuid"}
        return [next((names[kind] for kind in names if isinstance(of, kind)), "text") for of in self.added] + ["bigint"]

    def copying(self, values: Sequence[str], schema: str = "") -> str:
        """Return the statement that copies a row into its history. `values` are SQL for `given`, then the key."""
        tracked, quote = self.cls._meta, connection.ops.quote_name
        history, copied = self.model_of(self.cls)._meta, [quote(column) for column in self._copied]
        into = ", ".join([*(quote(str(of.column)) for of in self.added), *copied])
        selected = ", ".join([*values[:-1], *copied])
        table, source, key = quote(history.db_table), quote(tracked.db_table), quote(str(tracked.pk.column))
        return (
            f"INSERT INTO {schema}{table} ({into}) SELECT {selected} FROM {schema}{source} WHERE {key} = {values[-1]}"
        )

    @cached_property
    def _statement(self) -> str:
        if connection.vendor == "postgresql":
            # the role of the application has no right to INSERT into a history
            return f"SELECT public.{self.function}({', '.join(f'%s::{name}' for name in self.types())})"
        return self.copying(["%s"] * (len(self.added) + 1))

    def finalize(self, sender: type[models.Model], **kwargs: Any) -> None:
        super().finalize(sender, **kwargs)
        if self.cls is sender:
            models.signals.pre_save.connect(self.pre_save, sender=sender, weak=False)
            _histories[sender] = self
            time_lines.register(sender, lambda: self.model_of(sender)._meta.db_table, self.time_line)


def _nobody(instance: models.Model, **kwargs: Any) -> str:
    raise Anonymous(f"{instance._meta.label} is written through milo.audit only")


def _set_author(row: Any, author: str) -> None:
    row.history_user_id = author


class Provenance(models.Model):
    """Columns of every history row beside author, instant and reason."""

    history_change_message = models.TextField(blank=True, default="", db_default="")
    history_request_id = models.CharField(max_length=64, blank=True, default=provenance.request_id)
    history_approval = models.UUIDField(null=True, default=provenance.approval)
    history_credential = models.CharField(max_length=64, blank=True, default=provenance.credential, db_default="")
    history_credential_maker = models.CharField(
        max_length=200, blank=True, default=provenance.credential_maker, db_default=""
    )

    # the first version did not seal these (milo/ledger/shapes.py); it sealed the message as part of another column
    later_columns = frozenset({"history_credential", "history_credential_maker"})

    class Meta:
        abstract = True

    @property
    def history_summary(self) -> str:
        """Return "REASON: MESSAGE" for people, or only the reason."""
        row: Any = self
        return ": ".join(part for part in (row.history_change_reason, row.history_change_message) if part)


def history(
    *,
    personal: tuple[str, ...] = (),
    unrecorded: tuple[str, ...] = (),
    organization: str = "organization__name",
    time_line: str = "",
    kind: type[History] = History,
    bases: Sequence[type[models.Model]] = (),
    **options: Any,
) -> History:
    """Return the history of a model. The author is a text, so that it survives the deletion of a user.

    `unrecorded` are columns that change without a history row. `organization` is the ORM path to the name of the
    organization that owns a row, or empty. `time_line` is the foreign key to the head of the row's timeline, if that is
    not the row itself. `kind`, `personal`, `bases` and `options` are for models of libraries (`milo.audit.libraries`),
    which have no `columns`.
    """
    records = kind(
        bases=[*bases, PhaseLoading, Provenance],
        get_user=_nobody,
        history_id_field=models.BigAutoField(),
        history_user_id_field=models.CharField(max_length=200),
        history_user_getter=lambda row: row.history_user_id,
        history_user_setter=_set_author,
        history_change_reason_field=models.TextField(),
        **options,
    )
    records.said_personal, records.unrecorded = personal, unrecorded
    records.organization, records.time_line = organization, time_line
    return records


def histories() -> dict[type[models.Model], History]:
    """Return the history of each model that has one."""
    return dict(_histories)
