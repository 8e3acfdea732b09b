"""Reason and message of a history row become two columns."""

from typing import ClassVar

from django.db import migrations

from milo.audit.operations import SplitReasons


class Migration(migrations.Migration):
    atomic = False

    dependencies: ClassVar = [("projects", "0005_history_messages")]

    operations: ClassVar = [
        SplitReasons(
            "projects_historicalmembership",
            "projects_historicalorganization",
            "projects_historicalproject",
        )
    ]
