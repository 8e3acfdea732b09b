"""The table of last runs."""

from django.db import models
from django.utils import timezone

from milo.columns import Columns


class LastRun(models.Model):
    """The last runs of one schedule: when it was sent to a worker, when it last succeeded, and when it last failed."""

    name = models.CharField(max_length=100, primary_key=True)
    sent_at = models.DateTimeField(default=timezone.now)
    succeeded_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)
    failure = models.CharField(max_length=100, blank=True, help_text="class of the last exception")

    # operational: proves nothing about anybody
    columns = Columns.of(free="name sent_at succeeded_at failed_at failure")

    def __str__(self) -> str:
        return self.name
