import milo.kube.models
from django.db import migrations

from milo.migrating.operations import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('projects', '0006_split_history_reasons'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='project',
            index=milo.kube.models.LabelIndex(name='project_labels'),
        ),
    ]
