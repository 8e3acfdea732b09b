"""Requests can redate bindings that a wrong clock has dated in the future; no column changes."""

from django.db import migrations, models

CHOICES = [
    ("Reactivate", "Reactivate"),
    ("Close", "Close"),
    ("Reopen", "Reopen"),
    ("ReviseTerms", "Revise terms"),
    ("ReleaseHold", "Release a hold"),
    ("AssignUsage", "Assign usage"),
    ("RedateBindings", "Redate bindings"),
]


class Migration(migrations.Migration):
    dependencies = [("billing", "0028_payer_lock")]

    operations = [
        migrations.AlterField(
            model_name=name,
            name="act",
            field=models.CharField(choices=CHOICES, max_length=20, verbose_name="action"),
        )
        for name in ("approvalrequest", "historicalapprovalrequest")
    ]
