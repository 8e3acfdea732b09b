from django.db import migrations, models

from milo.migrating.operations import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('billing', '0033_payer_corrections'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='billingaccount',
            index=models.Index(fields=['phase', 'phase_since'], name='account_phase_since'),
        ),
    ]
