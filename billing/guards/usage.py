"""Guards of reported usage: meters, intakes, events and their keys are never changed or deleted."""

from collections.abc import Iterator

from billing.models import UsageEvent, UsageIntake, UsageKey, UsageMeter
from milo.append_only import Guard, as_written, by_right_of_owner

_MAKE_PARTITION = """
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
END """
"""The body of `make_usage_partition`, as migration 0010 made it."""


def guards() -> Iterator[Guard]:
    """Yield the guards of reported usage, and the function by which the application creates partitions."""
    event = UsageEvent._meta.db_table
    yield by_right_of_owner("make_usage_partition", event, "month date", _MAKE_PARTITION, DateStyle="iso")
    yield from as_written("usage_meter", UsageMeter._meta.db_table, ["id"], ["service", "name"])
    yield from as_written("usage_intake", UsageIntake._meta.db_table, ["id"])
    yield from as_written("usage_key", UsageKey._meta.db_table, ["key"])
    yield from as_written("usage_event", event, ["project_id", "time", "key"], partitioned=True)
