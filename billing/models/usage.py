"""Usage as reported: meters, intakes and events. Rows are only added."""

from django.db import models
from django.utils.translation import gettext_lazy

from billing.models.quantity import QuantityField


class UsageMeter(models.Model):
    """What a service counts. The first event fixes the unit, so that events can be summed."""

    service = models.CharField(gettext_lazy("service"), max_length=100)
    name = models.CharField(gettext_lazy("meter"), max_length=100)
    unit = models.CharField(gettext_lazy("unit"), max_length=60, help_text=gettext_lazy("UCUM code."))

    class Meta:
        verbose_name = gettext_lazy("usage meter")
        verbose_name_plural = gettext_lazy("usage meters")
        constraints = [
            # two concurrent first events with different units
            models.UniqueConstraint(fields=["service", "name"], name="usage_meter_once"),
        ]

    def __str__(self) -> str:
        return f"{self.service} {self.name}"


class UsageIntake(models.Model):
    """One request of a reporter: who reported its events, and when they arrived.

    `events` counts the accepted events; `digest` is their digest (`billing.usage.digests`), and is sealed. It is empty
    in rows written by a version without digests.
    """

    reporter = models.CharField(gettext_lazy("reporter"), max_length=200)
    received_at = models.DateTimeField(gettext_lazy("received at"), db_index=True)
    events = models.PositiveIntegerField(gettext_lazy("events"), default=0, db_default=0)
    digest = models.CharField(gettext_lazy("digest"), max_length=64, blank=True, default="", db_default="")

    class Meta:
        verbose_name = gettext_lazy("usage intake")
        verbose_name_plural = gettext_lazy("usage intakes")

    def __str__(self) -> str:
        return f"{self.reporter} {self.received_at:%Y-%m-%dT%H:%M:%SZ}"


class UsageKey(models.Model):
    """The idempotency key of an event, kept for ever: repeats are recognized even after retention detached its month.

    `key` is derived from source and id, `content` from everything else. It has no foreign key constraints, which would
    cost look-ups for each event: the intake reads the rows in the same transaction, and they are never deleted.
    """

    key = models.UUIDField(primary_key=True)
    content = models.UUIDField()
    intake = models.ForeignKey(UsageIntake, models.DO_NOTHING, db_constraint=False, db_index=False)
    project = models.ForeignKey("projects.Project", models.DO_NOTHING, db_constraint=False, db_index=False)
    meter = models.ForeignKey(UsageMeter, models.DO_NOTHING, db_constraint=False, db_index=False)
    time = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.key)


class UsageEvent(models.Model):
    """A usage event; on PostgreSQL in monthly partitions by `time`.

    The payer is not stored: it follows from `time` and the bindings of the project. The only index serves the events of
    a project in a span of time.
    """

    pk = models.CompositePrimaryKey("project_id", "time", "key")
    project = models.ForeignKey("projects.Project", models.DO_NOTHING, db_constraint=False, db_index=False)
    time = models.DateTimeField(gettext_lazy("time"))
    key = models.UUIDField()
    meter = models.ForeignKey(UsageMeter, models.DO_NOTHING, db_constraint=False, db_index=False)
    intake = models.ForeignKey(UsageIntake, models.DO_NOTHING, db_constraint=False, db_index=False)
    quantity = QuantityField(gettext_lazy("quantity"))
    corrects = models.UUIDField(null=True, help_text=gettext_lazy("Key of the event that it corrects."))
    source = models.CharField(gettext_lazy("source"), max_length=200)
    event_id = models.CharField(gettext_lazy("id"), max_length=200)
    type = models.CharField(gettext_lazy("type"), max_length=200)
    dimensions = models.JSONField(gettext_lazy("dimensions"), default=dict)

    class Meta:
        verbose_name = gettext_lazy("usage event")
        verbose_name_plural = gettext_lazy("usage events")

    def __str__(self) -> str:
        return f"{self.source} {self.event_id}"
