import milo.word_indexes
from django.conf import settings
from django.db import migrations, models

from milo.migrating.operations import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('projects', '0007_project_labels'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='membership',
            index=models.Index(fields=['role', 'id'], name='membership_by_role'),
        ),
        AddIndexConcurrently(
            model_name='organization',
            index=milo.word_indexes.WordIndex(name='organization_words', words=['name', 'display_name']),
        ),
        AddIndexConcurrently(
            model_name='project',
            index=models.Index(fields=['phase', 'id'], name='project_by_phase'),
        ),
        AddIndexConcurrently(
            model_name='project',
            index=milo.word_indexes.WordIndex(name='project_words', words=['name', 'display_name', 'contact_email_addresses']),
        ),
    ]
