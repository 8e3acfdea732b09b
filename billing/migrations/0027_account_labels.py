import milo.kube.models
from django.db import migrations

from milo.migrating.operations import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('billing', '0026_binding_labels'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='billingaccount',
            index=milo.kube.models.LabelIndex(name='account_labels'),
        ),
    ]
