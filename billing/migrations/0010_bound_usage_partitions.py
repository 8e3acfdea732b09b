"""Bound what the application can have the owner do: partitions of this month and the next three, and nothing else."""

from django.db import migrations

CREATE = """
CREATE OR REPLACE FUNCTION public.make_usage_partition(month date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET datestyle = ISO AS $$
DECLARE
    starts timestamp := date_trunc('month', month::timestamp);
    this_month timestamp := date_trunc('month', now() AT TIME ZONE 'UTC');
    partition text := to_char(starts, '"billing_usageevent_y"YYYY"m"MM');
    grantee text;
BEGIN
    IF starts < this_month OR starts > this_month + interval '3 months' THEN
        RAISE EXCEPTION 'partitions are made of this month and the next three, not of %', month
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    EXECUTE format(
        'CREATE TABLE public.%I PARTITION OF public.billing_usageevent FOR VALUES FROM (%L) TO (%L)',
        partition, starts || '+00', (starts + interval '1 month') || '+00'
    );
    -- rows are written through the parent, whose rights are those that count
    FOR grantee IN
        SELECT DISTINCT rolname FROM pg_class, aclexplode(relacl) acl JOIN pg_roles ON pg_roles.oid = acl.grantee
        WHERE pg_class.oid = format('public.%I', partition)::regclass AND acl.grantee <> relowner
    LOOP
        EXECUTE format('REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON public.%I FROM %I', partition, grantee);
    END LOOP;
END $$
"""
BEFORE = """
CREATE OR REPLACE FUNCTION public.make_usage_partition(month date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET datestyle = ISO AS $$
DECLARE starts timestamp := date_trunc('month', month::timestamp);
BEGIN
    EXECUTE format(
        'CREATE TABLE public.%I PARTITION OF public.billing_usageevent FOR VALUES FROM (%L) TO (%L)',
        to_char(starts, '"billing_usageevent_y"YYYY"m"MM'), starts || '+00', (starts + interval '1 month') || '+00'
    );
END $$
"""


def bound(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(CREATE, params=None)


def unbound(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(BEFORE, params=None)


class Migration(migrations.Migration):

    dependencies = [
        ("billing", "0009_binding_ended_of_account"),
    ]

    operations = [
        migrations.RunPython(bound, unbound),
    ]
