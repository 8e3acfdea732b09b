"""Second factors keep a history, which never holds a key; it begins with what the rows say."""

import hashlib

import django.db.models.deletion
import django.utils.timezone
import milo.provenance
import simple_history.models
from django.conf import settings
from django.db import migrations, models

COPIED = ('id', 'user_id', 'name', 'confirmed', 'created_at', 'step', 't0', 'digits', 'tolerance')


def begin(apps, schema_editor):
    past = apps.get_model('identity', 'HistoricalTOTPDevice')
    for device in apps.get_model('otp_totp', 'TOTPDevice').objects.order_by('pk').values('key', *COPIED).iterator():
        key = device.pop('key')
        past.objects.create(
            history_request_id='migrate',
            history_user_id='system:migrate',
            history_type='+',
            history_date=django.utils.timezone.now(),
            history_change_reason='Baseline',
            key_sha256=hashlib.sha256(key.encode()).hexdigest(),
            **device,
        )


class Migration(migrations.Migration):

    dependencies = [
        ('identity', '0007_people'),
        ('otp_totp', '0003_add_timestamps'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='HistoricalTOTPDevice',
            fields=[
                ('id', models.IntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('name', models.CharField(help_text='The human-readable name of this device.', max_length=64)),
                ('confirmed', models.BooleanField(default=True, help_text='Is this device ready for use?')),
                ('created_at', models.DateTimeField(blank=True, editable=False, help_text='The date and time when this device was initially created in the system.', null=True)),
                ('step', models.PositiveSmallIntegerField(default=30, help_text='The time step in seconds.')),
                ('t0', models.BigIntegerField(default=0, help_text='The Unix time at which to begin counting steps.')),
                ('digits', models.PositiveSmallIntegerField(choices=[(6, 6), (8, 8)], default=6, help_text='The number of digits to expect in a token.')),
                ('tolerance', models.PositiveSmallIntegerField(default=1, help_text='The number of time steps in the past or future to allow.')),
                ('history_request_id', models.CharField(blank=True, default=milo.provenance.request_id, max_length=64)),
                ('history_approval', models.UUIDField(default=milo.provenance.approval, null=True)),
                ('history_credential', models.CharField(blank=True, db_default='', default=milo.provenance.credential, max_length=64)),
                ('history_credential_maker', models.CharField(blank=True, db_default='', default=milo.provenance.credential_maker, max_length=200)),
                ('key_sha256', models.CharField(max_length=64)),
                ('history_user_id', models.CharField(max_length=200)),
                ('history_change_reason', models.TextField()),
                ('history_id', models.BigAutoField(editable=False, primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('user', models.ForeignKey(blank=True, db_constraint=False, help_text='The user that this device belongs to.', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'historical TOTP device',
                'verbose_name_plural': 'historical TOTP devices',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.RunPython(begin, migrations.RunPython.noop),
    ]
