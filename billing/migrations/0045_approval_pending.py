from django.db import migrations, models

from milo.migrating.operations import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('billing', '0044_charge_by_day'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='approvalrequest',
            index=models.Index(condition=models.Q(('phase', 'Pending')), fields=['requested_at', 'id'], name='approval_pending'),
        ),
    ]
