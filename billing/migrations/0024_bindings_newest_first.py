from django.db import migrations, models

from milo.migrating.operations import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('billing', '0023_traceparent'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='billingaccountbinding',
            index=models.Index(fields=['-established_at', '-id'], name='binding_newest_first'),
        ),
    ]
