"""Decimals of SQLite become text, which keeps every digit; on PostgreSQL nothing changes.

What SQLite has rounded already stays as it is sealed: its number written with 4 decimal places.
"""

import milo.decimals
from django.db import migrations

COLUMNS = {
    'billing_billingaccount': ('discount_percent', 'penalty_percent'),
    'billing_historicalbillingaccount': ('discount_percent', 'penalty_percent'),
    'billing_charge': ('amount',),
    'billing_historicalcharge': ('amount',),
}


def to_bytes(apps, schema_editor):
    """Write numbers as bytes, which neither the old nor the new type of the column converts when rows are copied."""
    connection = schema_editor.connection
    if connection.vendor == 'sqlite':
        connection.ensure_connection()
        connection.connection.create_function('as_sealed', 1, lambda number: f'{number:.4f}'.encode())
        # bytes are greater than any number or text, so constraints are asked again once they are text
        schema_editor.execute('PRAGMA ignore_check_constraints = ON')
        rewrite(schema_editor, 'as_sealed({0})')


def to_text(apps, schema_editor):
    if schema_editor.connection.vendor == 'sqlite':
        rewrite(schema_editor, 'CAST({0} AS TEXT)')
        schema_editor.execute('PRAGMA ignore_check_constraints = OFF')


def to_numbers(apps, schema_editor):
    """The column's old type makes numbers of texts."""
    if schema_editor.connection.vendor == 'sqlite':
        rewrite(schema_editor, 'CAST({0} AS NUMERIC)')


def rewrite(schema_editor, expression):
    for table, columns in COLUMNS.items():
        for column in columns:
            schema_editor.execute(
                f'UPDATE {table} SET {column} = {expression.format(column)} WHERE {column} IS NOT NULL'
            )


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0010_bound_usage_partitions'),
    ]

    operations = [
        migrations.RunPython(to_bytes, to_numbers),
        migrations.AlterField(
            model_name='billingaccount',
            name='discount_percent',
            field=milo.decimals.ExactDecimalField(blank=True, decimal_places=4, max_digits=7, null=True, verbose_name='early payment discount, percent'),
        ),
        migrations.AlterField(
            model_name='billingaccount',
            name='penalty_percent',
            field=milo.decimals.ExactDecimalField(blank=True, decimal_places=4, max_digits=7, null=True, verbose_name='late payment penalty, percent a year'),
        ),
        migrations.AlterField(
            model_name='charge',
            name='amount',
            field=milo.decimals.ExactDecimalField(decimal_places=4, max_digits=24, verbose_name='amount'),
        ),
        migrations.AlterField(
            model_name='historicalbillingaccount',
            name='discount_percent',
            field=milo.decimals.ExactDecimalField(blank=True, decimal_places=4, max_digits=7, null=True, verbose_name='early payment discount, percent'),
        ),
        migrations.AlterField(
            model_name='historicalbillingaccount',
            name='penalty_percent',
            field=milo.decimals.ExactDecimalField(blank=True, decimal_places=4, max_digits=7, null=True, verbose_name='late payment penalty, percent a year'),
        ),
        migrations.AlterField(
            model_name='historicalcharge',
            name='amount',
            field=milo.decimals.ExactDecimalField(decimal_places=4, max_digits=24, verbose_name='amount'),
        ),
        migrations.RunPython(to_text, migrations.RunPython.noop),
    ]
