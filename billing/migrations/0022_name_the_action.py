"""The staff site calls `act` what the API calls `action`; no column changes."""


from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0021_action_of_requests'),
    ]

    operations = [
        migrations.AlterField(
            model_name='approvalrequest',
            name='act',
            field=models.CharField(choices=[('Reactivate', 'Reactivate'), ('Close', 'Close'), ('Reopen', 'Reopen'), ('ReviseTerms', 'Revise terms'), ('ReleaseHold', 'Release a hold'), ('AssignUsage', 'Assign usage')], max_length=20, verbose_name='action'),
        ),
        migrations.AlterField(
            model_name='historicalapprovalrequest',
            name='act',
            field=models.CharField(choices=[('Reactivate', 'Reactivate'), ('Close', 'Close'), ('Reopen', 'Reopen'), ('ReviseTerms', 'Revise terms'), ('ReleaseHold', 'Release a hold'), ('AssignUsage', 'Assign usage')], max_length=20, verbose_name='action'),
        ),
    ]
