"""Reason and message of a history row become two columns."""

from typing import ClassVar

from django.db import migrations

from milo.audit.operations import SplitReasons


class Migration(migrations.Migration):
    atomic = False

    dependencies: ClassVar = [("billing", "0019_history_messages")]

    operations: ClassVar = [
        SplitReasons(
            "billing_historicalapprovalrequest",
            "billing_historicalbillingaccount",
            "billing_historicalbillingaccountbinding",
            "billing_historicalcharge",
            "billing_historicalhold",
            "billing_historicalsuspension",
            "billing_historicalusageassignment",
            "billing_historicalusageclosing",
        )
    ]
