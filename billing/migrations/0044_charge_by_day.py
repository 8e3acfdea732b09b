from django.db import migrations, models

from milo.migrating.operations import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('billing', '0043_account_by_name_and_key'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='charge',
            index=models.Index(fields=['due_date', 'id'], name='charge_by_day'),
        ),
    ]
