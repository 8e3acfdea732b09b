
import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0015_usage_digests'),
        ('projects', '0002_provenance'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='approvalrequest',
            name='approval_four_eyes',
        ),
        migrations.AddField(
            model_name='approvalrequest',
            name='editors',
            field=models.TextField(blank=True, db_default='', default='', editable=False, help_text='Everybody who changed it since the approval before: each name between two line feeds.', verbose_name='editors of what was approved'),
        ),
        migrations.AddField(
            model_name='approvalrequest',
            name='taken_over_by',
            field=models.CharField(blank=True, db_default='', default='', editable=False, max_length=200, verbose_name='taken over by'),
        ),
        migrations.AddField(
            model_name='historicalapprovalrequest',
            name='editors',
            field=models.TextField(blank=True, db_default='', default='', editable=False, help_text='Everybody who changed it since the approval before: each name between two line feeds.', verbose_name='editors of what was approved'),
        ),
        migrations.AddField(
            model_name='historicalapprovalrequest',
            name='taken_over_by',
            field=models.CharField(blank=True, db_default='', default='', editable=False, max_length=200, verbose_name='taken over by'),
        ),
        migrations.AddConstraint(
            model_name='approvalrequest',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('phase', 'Approved'), _negated=True), models.Q(models.Q(('decider', models.F('requester')), _negated=True), models.Q(('decider', models.F('taken_over_by')), _negated=True), models.Q(('decider', models.F('last_editor')), _negated=True), ('editors', django.db.models.functions.text.Replace('editors', django.db.models.functions.text.Concat(models.Value('\n'), models.F('decider'), models.Value('\n')), models.Value('')))), _connector='OR'), name='approval_four_eyes'),
        ),
    ]
