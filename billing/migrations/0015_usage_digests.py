"""Intakes of usage have digests of their events; those from before are given the digests of what is known of them."""

import hashlib
from itertools import groupby

import orjson
from django.db import migrations, models


def _digest(lines):
    return hashlib.sha256(''.join(sorted(lines)).encode()).hexdigest()


def _line(key, content, project_id, meter_id, time):
    instant = orjson.dumps(time).decode()[1:-1].replace('T', ' ')
    return f'{key.hex} {content.hex} {project_id} {meter_id} {instant}\n'


def begin(apps, schema_editor):
    if schema_editor.connection.vendor == 'postgresql':
        # rows stay as they were written, but for this once; migrate installs the guard again when it ends
        schema_editor.execute('DROP TRIGGER IF EXISTS usage_intake_never_changed ON public.billing_usageintake')
    intakes = apps.get_model('billing', 'UsageIntake').objects
    intakes.update(digest=_digest([]))
    columns = ('intake_id', 'key', 'content', 'project_id', 'meter_id', 'time')
    keys = apps.get_model('billing', 'UsageKey').objects.order_by('intake_id', 'key').values_list(*columns)
    for pk, rows in groupby(keys.iterator(2000), key=lambda row: row[0]):
        lines = [_line(*columns) for _pk, *columns in rows]
        intakes.filter(pk=pk).update(events=len(lines), digest=_digest(lines))


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0014_proof'),
    ]

    operations = [
        migrations.AddField(
            model_name='usageintake',
            name='digest',
            field=models.CharField(blank=True, db_default='', default='', max_length=64, verbose_name='digest'),
        ),
        migrations.AddField(
            model_name='usageintake',
            name='events',
            field=models.PositiveIntegerField(db_default=0, default=0, verbose_name='events'),
        ),
        migrations.RunPython(begin, migrations.RunPython.noop),
    ]
