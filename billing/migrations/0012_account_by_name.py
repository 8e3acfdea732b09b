"""An index of accounts by their names, made while they are written."""

from typing import ClassVar

from django.db import migrations, models

from milo.migrating.operations import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies: ClassVar = [
        ("billing", "0011_exact_decimals"),
        ("projects", "0002_provenance"),
    ]

    operations: ClassVar = [
        AddIndexConcurrently(
            model_name="billingaccount",
            index=models.Index(fields=["name"], name="account_by_name"),
        ),
    ]
