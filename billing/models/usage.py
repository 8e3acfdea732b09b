"""Usage as reported: who reported, which event, what it said. Rows are only ever added."""

from django.db import models
from django.utils.translation import gettext_lazy

from billing.models.quantity import QuantityField


class UsageMeter(models.Model):
    """What is counted, in one unit for ever: that of its first event, so that its sums mean something."""

    service = models.CharField(gettext_lazy("service"), max_length=100)
    name = models.CharField(gettext_lazy("meter"), max_length=100)
    unit = models.CharField(gettext_lazy("unit"), max_length=60, help_text=gettext_lazy("UCUM code."))

    class Meta:
        verbose_name = gettext_lazy("usage meter")
        verbose_name_plural = gettext_lazy("usage meters")
        constraints = [
            # two first events with different units at once
            models.UniqueConstraint(fields=["service", "name"], name="usage_meter_once"),
        ]

    def __str__(self) -> str:
        return f"{self.service} {self.name}"


class UsageIntake(models.Model):
    """One request of a reporter: who answers for its events, and when they arrived.

    `digest` is that of its `events` accepted (`billing.usage.digests`), and is sealed. It is empty where a process of
    a version without digests has written the row.
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
    """That an event is known, for ever: repeats are recognized also once its month is detached by retention.

    `key` stands for its source and id, `content` for what it said. No foreign keys: they would be looked up again for
    each event, and what they name is found in the same transaction and never deleted.
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

    Who pays for it is not written here: that follows from its time and the bindings of its project. The one index is
    for the events of a project in a span of time.
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
