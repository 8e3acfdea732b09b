from django.db import migrations, models

from milo.migrating.operations import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('billing', '0042_charges_of_sub_accounts_index'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='billingaccount',
            index=models.Index(fields=['name', 'id'], name='account_by_name_and_key'),
        ),
    ]
