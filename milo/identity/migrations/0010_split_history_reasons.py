"""Reason and message of a history row become two columns."""

from typing import ClassVar

from django.db import migrations

from milo.audit.operations import SplitReasons


class Migration(migrations.Migration):
    atomic = False

    dependencies: ClassVar = [("identity", "0009_history_messages")]

    operations: ClassVar = [
        SplitReasons(
            "identity_historicalgroup",
            "identity_historicalgroup_permissions",
            "identity_historicalidentity",
            "identity_historicalpasswordlink",
            "identity_historicalservicetoken",
            "identity_historicalserviceuser",
            "identity_historicaltotpdevice",
            "identity_historicaluser",
            "identity_historicaluser_groups",
            "identity_historicaluser_user_permissions",
        )
    ]
