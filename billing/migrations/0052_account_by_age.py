from django.db import migrations, models

from milo.migrating.operations import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('billing', '0051_notice_words'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='billingaccount',
            index=models.Index(fields=['phase_since', 'id'], name='account_by_age'),
        ),
    ]
