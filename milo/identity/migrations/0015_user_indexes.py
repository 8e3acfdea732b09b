import milo.word_indexes
from django.conf import settings
from django.db import migrations, models

from milo.migrating.operations import AddIndexOfLibraryConcurrently


class Migration(migrations.Migration):
    """Filters and searches of users on the staff site: the few that are not as most are, and the words of all."""

    atomic = False

    dependencies = [
        ('identity', '0012_console_indexes'),
        ('auth', '0012_alter_user_first_name_max_length'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        AddIndexOfLibraryConcurrently(
            library='auth',
            model_name='user',
            index=models.Index(condition=models.Q(('is_active', False)), fields=['id'], name='user_inactive'),
        ),
        AddIndexOfLibraryConcurrently(
            library='auth',
            model_name='user',
            index=models.Index(condition=models.Q(('is_staff', True)), fields=['id'], name='user_staff'),
        ),
        AddIndexOfLibraryConcurrently(
            library='auth',
            model_name='user',
            index=models.Index(condition=models.Q(('is_superuser', True)), fields=['id'], name='user_superusers'),
        ),
        AddIndexOfLibraryConcurrently(
            library='auth',
            model_name='user',
            index=milo.word_indexes.WordIndex(
                name='user_words', words=['username', 'first_name', 'last_name', 'email']
            ),
        ),
    ]
