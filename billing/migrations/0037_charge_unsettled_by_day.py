from django.db import migrations, models

from milo.migrating.operations import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('billing', '0036_notice_dead'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='charge',
            index=models.Index(condition=models.Q(('settled_at', None)), fields=['due_date'], name='charge_unsettled_by_day'),
        ),
    ]
