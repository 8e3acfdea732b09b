"""Closings and assignments of usage keep a history, notices have outcomes.

What was there before begins with what its rows say; request id `migrate` marks it.
"""

import django.db.models.deletion
import milo.provenance
import simple_history.models
from django.db import migrations, models

HISTORY = 'history_request_id, history_user_id, history_type'
BASELINES = (
    f"""INSERT INTO billing_historicalusageclosing ({HISTORY}, history_date, history_change_reason,
            id, account_id, opens_on, closed_at, closed_by, reason)
        SELECT 'migrate', closed_by, '+', closed_at, 'UsageClosed: ' || reason,
            id, account_id, opens_on, closed_at, closed_by, reason
        FROM billing_usageclosing ORDER BY id""",
    f"""INSERT INTO billing_historicalusageassignment ({HISTORY}, history_date, history_approval, history_change_reason,
            id, account_id, project_id, request_id, starts_at, ends_at, assigned_at)
        SELECT 'migrate', r.decider, '+', a.assigned_at, r.uid, 'UsageAssigned: approved by request ' || r.name,
            a.id, a.account_id, a.project_id, a.request_id, a.starts_at, a.ends_at, a.assigned_at
        FROM billing_usageassignment a JOIN billing_approvalrequest r ON r.id = a.request_id ORDER BY a.id""",
    """INSERT INTO billing_noticeoutcome (notice_id, phase, at, attempts, actor)
        SELECT id, phase, COALESCE(delivered_at, due_at), attempts, 'system:migrate'
        FROM billing_notice WHERE phase <> 'Pending' ORDER BY id""",
)


def begin(apps, schema_editor):
    for statement in BASELINES:
        schema_editor.execute(statement)


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0013_finalizers_and_owner_references'),
        ('projects', '0002_provenance'),
    ]

    operations = [
        migrations.CreateModel(
            name='HistoricalUsageAssignment',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('history_request_id', models.CharField(blank=True, default=milo.provenance.request_id, max_length=64)),
                ('history_approval', models.UUIDField(default=milo.provenance.approval, null=True)),
                ('starts_at', models.DateTimeField(verbose_name='from')),
                ('ends_at', models.DateTimeField(help_text='Not included.', verbose_name='until')),
                ('assigned_at', models.DateTimeField(verbose_name='assigned at')),
                ('history_user_id', models.CharField(max_length=200)),
                ('history_change_reason', models.TextField()),
                ('history_id', models.BigAutoField(editable=False, primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('account', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='billing.billingaccount')),
                ('project', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='projects.project')),
                ('request', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='billing.approvalrequest')),
            ],
            options={
                'verbose_name': 'historical usage assignment',
                'verbose_name_plural': 'historical usage assignments',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalUsageClosing',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('history_request_id', models.CharField(blank=True, default=milo.provenance.request_id, max_length=64)),
                ('history_approval', models.UUIDField(default=milo.provenance.approval, null=True)),
                ('opens_on', models.DateField(help_text='The month after the last that is closed.', verbose_name='first open month')),
                ('closed_at', models.DateTimeField(verbose_name='closed at')),
                ('closed_by', models.CharField(max_length=200, verbose_name='closed by')),
                ('reason', models.TextField(verbose_name='reason')),
                ('history_user_id', models.CharField(max_length=200)),
                ('history_change_reason', models.TextField()),
                ('history_id', models.BigAutoField(editable=False, primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('account', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='billing.billingaccount', verbose_name='billing account')),
            ],
            options={
                'verbose_name': 'historical usage closing',
                'verbose_name_plural': 'historical usage closings',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='NoticeOutcome',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('phase', models.CharField(choices=[('Pending', 'Pending'), ('Delivered', 'Delivered'), ('Dead', 'Undeliverable')], max_length=10, verbose_name='phase')),
                ('at', models.DateTimeField(verbose_name='at')),
                ('attempts', models.PositiveSmallIntegerField(verbose_name='attempts')),
                ('actor', models.CharField(max_length=200, verbose_name='by')),
                ('notice', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='outcomes', to='billing.notice')),
            ],
            options={
                'verbose_name': 'outcome of a notice',
                'verbose_name_plural': 'outcomes of notices',
            },
        ),
        migrations.RunPython(begin, migrations.RunPython.noop),
    ]
