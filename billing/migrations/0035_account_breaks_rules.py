from django.db import migrations, models

from milo.migrating.operations import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('billing', '0034_account_phase_since'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='billingaccount',
            index=models.Index(condition=models.Q(('compliance_reason', 'ComplianceErrors')), fields=['compliance_since'], name='account_breaks_rules'),
        ),
    ]
