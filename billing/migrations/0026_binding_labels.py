import milo.kube.models
from django.db import migrations

from milo.migrating.operations import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('billing', '0025_notices_newest_first'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='billingaccountbinding',
            index=milo.kube.models.LabelIndex(name='binding_labels'),
        ),
    ]
