-- The role of the application, which owns nothing: it can neither switch a guard off nor empty a table.
-- Run it as the role that owns the tables (the one that runs `manage.py migrate`), after every migrate that brings a new
-- version; what it grants already it grants again:
--   psql --single-transaction -v ON_ERROR_STOP=1 -f deploy/postgresql-roles.sql "$DATABASE_URL_OF_THE_OWNER"
-- and let the application log in by a role that is a member of this one:
--   CREATE ROLE milo LOGIN PASSWORD '...' IN ROLE milo_application;
-- Server and worker get the DATABASE_URL of that role, `manage.py migrate` and `manage.py ledger verify` the owner's.

DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'milo_application') THEN
        CREATE ROLE milo_application NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION;
    END IF;
END $$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO milo_application;

-- neither TRUNCATE nor TRIGGER nor REFERENCES
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO milo_application;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO milo_application;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO milo_application;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO milo_application;

-- all of the owner's rights that it may use: a month's partition of the usage events
GRANT EXECUTE ON FUNCTION make_usage_partition(date) TO milo_application;

-- which migrations were made is the owner's to say
REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM milo_application;

-- the past is added to. Its personal values may be purged, which the guards allow for nothing but that; a seal is
-- changed once, when its head has been handed over
DO $$ DECLARE past text; BEGIN
    FOR past IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename LIKE '%\_historical%' LOOP
        EXECUTE format('REVOKE DELETE ON %I FROM milo_application', past);
    END LOOP;
END $$;
REVOKE DELETE ON ledger_seal, ledger_redaction, kube_counter FROM milo_application;
REVOKE UPDATE ON ledger_redaction, ledger_salt, kube_change FROM milo_application;
REVOKE UPDATE ON ledger_seal FROM milo_application;
GRANT UPDATE (handed_over_at) ON ledger_seal TO milo_application;
