"""The application owns no table on PostgreSQL, and so makes partitions by a function of whoever runs `migrate`."""

from django.db import migrations

# without the search path of its own, a caller could put tables of another schema in the place of ours
CREATE = """
CREATE OR REPLACE FUNCTION make_usage_partition(month date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET datestyle = ISO AS $$
DECLARE starts timestamp := date_trunc('month', month::timestamp);
BEGIN
    EXECUTE format(
        'CREATE TABLE public.%I PARTITION OF public.billing_usageevent FOR VALUES FROM (%L) TO (%L)',
        to_char(starts, '"billing_usageevent_y"YYYY"m"MM'), starts || '+00', (starts + interval '1 month') || '+00'
    );
END $$
"""
# deploy/postgresql-roles.sql grants it to the role of the application
REVOKE = "REVOKE ALL ON FUNCTION make_usage_partition(date) FROM PUBLIC"


def create(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(CREATE, params=None)
        schema_editor.execute(REVOKE, params=None)


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP FUNCTION make_usage_partition(date)", params=None)


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0007_assign_usage'),
    ]

    operations = [
        migrations.RunPython(create, drop),
    ]
