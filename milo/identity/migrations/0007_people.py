"""Users and platform roles keep a history, and log-ins are kept; who is there begins with what the rows say."""

import hashlib

import django.contrib.auth.validators
import django.db.models.deletion
import django.utils.timezone
import milo.provenance
import simple_history.models
from django.conf import settings
from django.db import migrations, models

HISTORY = "history_request_id, history_user_id, history_type, history_date, history_change_reason"
BASELINE = "'migrate', 'system:migrate', '+', CURRENT_TIMESTAMP, 'Baseline'"
COPIES = {
    'auth_group': 'id, name',
    'auth_user_groups': 'id, user_id, group_id',
    'auth_user_user_permissions': 'id, user_id, permission_id',
    'auth_group_permissions': 'id, group_id, permission_id',
}


def begin(apps, schema_editor):
    for table, columns in COPIES.items():
        history = table.replace('auth_', 'identity_historical', 1)
        schema_editor.execute(
            f'INSERT INTO {history} ({HISTORY}, {columns}) SELECT {BASELINE}, {columns} FROM {table} ORDER BY id'
        )
    past = apps.get_model('identity', 'HistoricalUser')
    copied = ('id username first_name last_name email is_staff is_active is_superuser date_joined').split()
    for user in apps.get_model('auth', 'User').objects.order_by('pk').values('password', *copied).iterator():
        password = user.pop('password')
        past.objects.create(
            history_request_id='migrate',
            history_user_id='system:migrate',
            history_type='+',
            history_date=django.utils.timezone.now(),
            history_change_reason='Baseline',
            password_sha256=hashlib.sha256(password.encode()).hexdigest(),
            **user,
        )



class Migration(migrations.Migration):

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ('identity', '0006_forget_failed_log_ins'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='HistoricalGroup',
            fields=[
                ('id', models.IntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('name', models.CharField(db_index=True, max_length=150, verbose_name='name')),
                ('history_request_id', models.CharField(blank=True, default=milo.provenance.request_id, max_length=64)),
                ('history_approval', models.UUIDField(default=milo.provenance.approval, null=True)),
                ('history_credential', models.CharField(blank=True, db_default='', default=milo.provenance.credential, max_length=64)),
                ('history_credential_maker', models.CharField(blank=True, db_default='', default=milo.provenance.credential_maker, max_length=200)),
                ('history_user_id', models.CharField(max_length=200)),
                ('history_change_reason', models.TextField()),
                ('history_id', models.BigAutoField(editable=False, primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
            ],
            options={
                'verbose_name': 'historical group',
                'verbose_name_plural': 'historical groups',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalUser',
            fields=[
                ('id', models.IntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('is_superuser', models.BooleanField(default=False, help_text='Designates that this user has all permissions without explicitly assigning them.', verbose_name='superuser status')),
                ('username', models.CharField(db_index=True, error_messages={'unique': 'A user with that username already exists.'}, help_text='Required. 150 characters or fewer. Letters, digits and @/./+/-/_ only.', max_length=150, validators=[django.contrib.auth.validators.UnicodeUsernameValidator()], verbose_name='username')),
                ('first_name', models.CharField(blank=True, max_length=150, verbose_name='first name')),
                ('last_name', models.CharField(blank=True, max_length=150, verbose_name='last name')),
                ('email', models.EmailField(blank=True, max_length=254, verbose_name='email address')),
                ('is_staff', models.BooleanField(default=False, help_text='Designates whether the user can log into this admin site.', verbose_name='staff status')),
                ('is_active', models.BooleanField(default=True, help_text='Designates whether this user should be treated as active. Unselect this instead of deleting accounts.', verbose_name='active')),
                ('date_joined', models.DateTimeField(default=django.utils.timezone.now, verbose_name='date joined')),
                ('history_request_id', models.CharField(blank=True, default=milo.provenance.request_id, max_length=64)),
                ('history_approval', models.UUIDField(default=milo.provenance.approval, null=True)),
                ('history_credential', models.CharField(blank=True, db_default='', default=milo.provenance.credential, max_length=64)),
                ('history_credential_maker', models.CharField(blank=True, db_default='', default=milo.provenance.credential_maker, max_length=200)),
                ('password_sha256', models.CharField(max_length=64)),
                ('history_user_id', models.CharField(max_length=200)),
                ('history_change_reason', models.TextField()),
                ('history_id', models.BigAutoField(editable=False, primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
            ],
            options={
                'verbose_name': 'historical user',
                'verbose_name_plural': 'historical users',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='LogIn',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(blank=True, max_length=150, verbose_name='user')),
                ('outcome', models.CharField(choices=[('Succeeded', 'Succeeded'), ('Failed', 'Failed'), ('LockedOut', 'Locked out'), ('LoggedOut', 'Logged out')], max_length=10, verbose_name='outcome')),
                ('address', models.CharField(blank=True, max_length=50, verbose_name='network')),
                ('at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='at')),
                ('request_id', models.CharField(blank=True, default=milo.provenance.request_id, max_length=64, verbose_name='request')),
            ],
            options={
                'verbose_name': 'log-in',
                'verbose_name_plural': 'log-ins',
            },
        ),
        migrations.CreateModel(
            name='HistoricalGroup_permissions',
            fields=[
                ('id', models.IntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('history_request_id', models.CharField(blank=True, default=milo.provenance.request_id, max_length=64)),
                ('history_approval', models.UUIDField(default=milo.provenance.approval, null=True)),
                ('history_credential', models.CharField(blank=True, db_default='', default=milo.provenance.credential, max_length=64)),
                ('history_credential_maker', models.CharField(blank=True, db_default='', default=milo.provenance.credential_maker, max_length=200)),
                ('history_user_id', models.CharField(max_length=200)),
                ('history_change_reason', models.TextField()),
                ('history_id', models.BigAutoField(editable=False, primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('group', models.ForeignKey(blank=True, db_constraint=False, db_tablespace='', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='auth.group')),
                ('permission', models.ForeignKey(blank=True, db_constraint=False, db_tablespace='', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='auth.permission')),
            ],
            options={
                'verbose_name': 'historical group-permission relationship',
                'verbose_name_plural': 'historical group-permission relationships',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalUser_groups',
            fields=[
                ('id', models.IntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('history_request_id', models.CharField(blank=True, default=milo.provenance.request_id, max_length=64)),
                ('history_approval', models.UUIDField(default=milo.provenance.approval, null=True)),
                ('history_credential', models.CharField(blank=True, db_default='', default=milo.provenance.credential, max_length=64)),
                ('history_credential_maker', models.CharField(blank=True, db_default='', default=milo.provenance.credential_maker, max_length=200)),
                ('history_user_id', models.CharField(max_length=200)),
                ('history_change_reason', models.TextField()),
                ('history_id', models.BigAutoField(editable=False, primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('group', models.ForeignKey(blank=True, db_constraint=False, db_tablespace='', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='auth.group')),
                ('user', models.ForeignKey(blank=True, db_constraint=False, db_tablespace='', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'historical user-group relationship',
                'verbose_name_plural': 'historical user-group relationships',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalUser_user_permissions',
            fields=[
                ('id', models.IntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('history_request_id', models.CharField(blank=True, default=milo.provenance.request_id, max_length=64)),
                ('history_approval', models.UUIDField(default=milo.provenance.approval, null=True)),
                ('history_credential', models.CharField(blank=True, db_default='', default=milo.provenance.credential, max_length=64)),
                ('history_credential_maker', models.CharField(blank=True, db_default='', default=milo.provenance.credential_maker, max_length=200)),
                ('history_user_id', models.CharField(max_length=200)),
                ('history_change_reason', models.TextField()),
                ('history_id', models.BigAutoField(editable=False, primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('permission', models.ForeignKey(blank=True, db_constraint=False, db_tablespace='', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='auth.permission')),
                ('user', models.ForeignKey(blank=True, db_constraint=False, db_tablespace='', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'historical user-permission relationship',
                'verbose_name_plural': 'historical user-permission relationships',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.RunPython(begin, migrations.RunPython.noop),
    ]
