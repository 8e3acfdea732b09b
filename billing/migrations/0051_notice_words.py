import milo.word_indexes
from django.db import migrations

from milo.migrating.operations import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('billing', '0048_console_indexes'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='notice',
            index=milo.word_indexes.WordIndex(name='notice_words', words=['recipient']),
        ),
    ]
