"""History rows of django-simple-history: who, when, why and by what right, copied from the row by the database."""

from typing import Any

from django.db import connection, models
from django.utils import timezone
from django.utils.functional import cached_property
from simple_history.models import HistoricalRecords

from milo import provenance
from milo.audit.acts import Anonymous
from milo.phases import PhaseLoading

_histories: dict[type[models.Model], "History"] = {}


def _refuse_anonymous(instance: models.Model, **kwargs: Any) -> None:
    if not hasattr(instance, "_history_user"):
        raise Anonymous(f"{instance._meta.label} is written through milo.audit.save_as only")


class History(HistoricalRecords):  # type: ignore[misc]
    """simple-history learns of a row once it is written; this one refuses before, when nothing has changed yet.

    It makes the history row of the object in memory; this one has the database copy the row as it was written.
    """

    personal: tuple[str, ...] = ()
    unrecorded: tuple[str, ...] = ()
    organization: str = ""

    def model_of(self, tracked: type[models.Model]) -> type[models.Model]:
        """The model of the history rows of `tracked`."""
        model: type[models.Model] = getattr(tracked, self.manager_name).model
        return model

    def create_historical_record(self, instance: models.Model, history_type: str, using: str | None = None) -> None:
        """By one statement that copies the row, unless it is gone; columns that nobody gives have their default."""
        if history_type == "-":
            super().create_historical_record(instance, history_type, using)
            return
        given = {
            "history_date": timezone.now(),
            "history_type": history_type,
            "history_user_id": self.get_history_user(instance),
            "history_change_reason": self.get_change_reason_for_object(instance, history_type, using),
        }
        statement, columns = self._copying
        values = [given[column.name] if column.name in given else column.get_default() for column in columns]
        prepared = [column.get_db_prep_save(value, connection) for column, value in zip(columns, values, strict=True)]
        with connection.cursor() as cursor:
            cursor.execute(statement, [*prepared, instance.pk])

    @cached_property
    def _copying(self) -> "tuple[str, list[models.Field[Any, Any]]]":
        """The statement that copies a row of the model into its history, and the columns that it gives values for."""
        tracked, quote = self.cls._meta, connection.ops.quote_name
        kept = {column.column for column in tracked.concrete_fields}
        history = self.model_of(self.cls)._meta
        given = [of for of in history.concrete_fields if of.column not in kept and not of.primary_key]
        copied = [quote(str(of.column)) for of in history.concrete_fields if of.column in kept]
        into = ", ".join([*(quote(str(of.column)) for of in given), *copied])
        selected = ", ".join([*["%s"] * len(given), *copied])
        table, source, key = quote(history.db_table), quote(tracked.db_table), quote(str(tracked.pk.column))
        return f"INSERT INTO {table} ({into}) SELECT {selected} FROM {source} WHERE {key} = %s", given

    def finalize(self, sender: type[models.Model], **kwargs: Any) -> None:
        super().finalize(sender, **kwargs)
        if self.cls is sender:
            models.signals.pre_save.connect(_refuse_anonymous, sender=sender, weak=False)
            _histories[sender] = self


def _nobody(instance: models.Model, **kwargs: Any) -> str:
    raise Anonymous(f"{instance._meta.label} is written through milo.audit.save_as only")


def _set_author(row: Any, author: str) -> None:
    row.history_user_id = author


class Provenance(models.Model):
    """What each history row says of itself beside who, when and why."""

    history_request_id = models.CharField(max_length=64, blank=True, default=provenance.request_id)
    history_approval = models.UUIDField(null=True, default=provenance.approval)

    class Meta:
        abstract = True


def history(
    *, personal: tuple[str, ...] = (), unrecorded: tuple[str, ...] = (), organization: str = "organization__name"
) -> History:
    """The history of a model: who (a plain column, so that no deleted user empties it), when, why, and by what right.

    `personal` are the columns that are purged at the end of their retention, `unrecorded` those that change without
    a history row, `organization` the ORM path to the name of the organization that owns a row, or empty.
    """
    records = History(
        bases=[PhaseLoading, Provenance],
        get_user=_nobody,
        history_id_field=models.BigAutoField(),
        history_user_id_field=models.CharField(max_length=200),
        history_user_getter=lambda row: row.history_user_id,
        history_user_setter=_set_author,
        history_change_reason_field=models.TextField(),
    )
    records.personal, records.unrecorded, records.organization = personal, unrecorded, organization
    return records


def histories() -> dict[type[models.Model], History]:
    """Every model that keeps a history."""
    return dict(_histories)
