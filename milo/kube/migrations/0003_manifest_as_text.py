from django.db import migrations

import milo.kube.models


class Migration(migrations.Migration):

    dependencies = [
        ('kube', '0002_compaction'),
    ]

    operations = [
        migrations.AlterField(
            model_name='change',
            name='manifest',
            field=milo.kube.models.ManifestField(),
        ),
    ]
