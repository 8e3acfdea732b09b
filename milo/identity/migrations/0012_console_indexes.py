import milo.word_indexes
from django.conf import settings
from django.db import migrations, models

from milo.migrating.operations import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('identity', '0011_saved_filters'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='login',
            index=models.Index(fields=['outcome', 'id'], name='log_in_by_outcome'),
        ),
        AddIndexConcurrently(
            model_name='servicetoken',
            index=models.Index(condition=models.Q(('revoked_at__isnull', False)), fields=['id'], name='token_revoked'),
        ),
        AddIndexConcurrently(
            model_name='servicetoken',
            index=models.Index(condition=models.Q(('expires_at__isnull', False)), fields=['id'], name='token_expires'),
        ),
        AddIndexConcurrently(
            model_name='login',
            index=milo.word_indexes.WordIndex(name='log_in_words', words=['name', 'request_id']),
        ),
        AddIndexConcurrently(
            model_name='servicetoken',
            index=milo.word_indexes.WordIndex(name='token_words', words=['hint', 'description']),
        ),
        AddIndexConcurrently(
            model_name='identity',
            index=milo.word_indexes.WordIndex(name='identity_words', words=['subject']),
        ),
    ]
