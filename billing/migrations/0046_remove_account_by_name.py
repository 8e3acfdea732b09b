from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ('billing', '0045_approval_pending'),
    ]

    operations = [
        # account_by_name_and_key begins with the name
        migrations.RemoveIndex(model_name='billingaccount', name='account_by_name'),
    ]
