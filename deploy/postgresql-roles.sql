-- The rights of the application's role, which owns nothing: it can neither switch a guard off nor empty a table.
--
-- Once, before the first migrate, an administrator of the server (a superuser, or a role with CREATEROLE and CREATEDB)
-- makes three roles and the database. None of the three needs CREATEROLE, CREATEDB or SUPERUSER:
--   CREATE ROLE milo_owner LOGIN PASSWORD '...';
--   CREATE ROLE milo_application NOLOGIN;
--   CREATE ROLE milo LOGIN PASSWORD '...' IN ROLE milo_application;
--   CREATE DATABASE milo OWNER milo_owner;
-- Run this file as milo_owner, the role that runs `manage.py migrate` and so owns the tables, after every migrate that
-- brings a new version; what it grants already it grants again:
--   psql --single-transaction -v ON_ERROR_STOP=1 -f deploy/postgresql-roles.sql "$DATABASE_URL_OF_THE_OWNER"
-- Server, worker and beat get the DATABASE_URL of milo; `manage.py migrate` and `manage.py ledger verify` the owner's.

DO $$ DECLARE owner name := (SELECT tableowner FROM pg_tables WHERE schemaname = 'public' AND tablename = 'ledger_seal');
BEGIN
    IF owner IS NULL THEN
        RAISE EXCEPTION 'there are no tables of Milo in %', current_database() USING HINT = 'run manage.py migrate first';
    ELSIF owner <> current_user THEN
        RAISE EXCEPTION 'the tables are of the role %, not of %', owner, current_user
            USING HINT = format('run this file as %s', owner);
    ELSIF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'milo_application') THEN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolcreaterole)) THEN
            RAISE EXCEPTION 'there is no role milo_application, and % may not create it', current_user
                USING HINT = 'have an administrator of the server run: CREATE ROLE milo_application NOLOGIN';
        END IF;
        CREATE ROLE milo_application NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION;
    END IF;
END $$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO milo_application;

-- neither TRUNCATE nor TRIGGER nor REFERENCES, and no DELETE but of what is named below
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM milo_application;
GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO milo_application;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO milo_application;
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE DELETE ON TABLES FROM milo_application;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE ON TABLES TO milo_application;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO milo_application;

-- payers of record that a recount replaced, sums that fell to nothing, revisions below the watermark of compaction, salts of purged values: guards say which
GRANT DELETE ON billing_accountpayer, billing_usagerollup, kube_change, ledger_salt TO milo_application;
-- answers to requests with an Idempotency-Key, after 24 hours
GRANT DELETE ON kube_recordedresponse TO milo_application;
-- sessions that have ended, attempts to log in that no longer count, and roles and identities that a person no longer has
GRANT DELETE ON django_session, axes_accessattempt, axes_accessattemptexpiration, axes_accesslog, axes_accessfailurelog,
    auth_user_groups, auth_user_user_permissions, projects_membership, identity_identity, otp_totp_totpdevice
    TO milo_application;

-- filters of lists that a person needs no more
GRANT DELETE ON identity_savedfilter TO milo_application;

-- all of the owner's rights that it may use: a month's partition of the usage events
GRANT EXECUTE ON FUNCTION make_usage_partition(date) TO milo_application;

-- which migrations were made is the owner's to say
REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM milo_application;

-- history is written by functions that copy the row as it stands (milo/ledger/guards.py), and by nothing else. A version
-- before 0.1.0 that still serves inserts by itself: run this once the last of its processes has ended
DO $$ DECLARE past text; writer regprocedure; BEGIN
    FOR past IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename LIKE '%\_historical%' LOOP
        EXECUTE format('REVOKE INSERT ON public.%I FROM milo_application', past);
    END LOOP;
    FOR writer IN SELECT oid FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef
        AND proname LIKE 'record\_%' LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO milo_application', writer);
    END LOOP;
END $$;

-- what triggers alone write
REVOKE INSERT, UPDATE ON billing_unboundproject FROM milo_application;

-- what is written once
REVOKE UPDATE ON billing_noticeoutcome, billing_payercorrection, billing_usageassignment, billing_usageclosing, billing_usageevent,
    billing_usageintake, billing_usagekey,
    billing_usagemeter, django_admin_log, identity_login, kube_change, ledger_redaction, ledger_salt FROM milo_application;
-- a seal is changed once, when its head has been handed over
REVOKE UPDATE ON ledger_seal FROM milo_application;
GRANT UPDATE (handed_over_at) ON ledger_seal TO milo_application;
-- events are written through the table that the partitions are of
DO $$ DECLARE partition regclass; BEGIN
    FOR partition IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'public.billing_usageevent'::regclass LOOP
        EXECUTE format('REVOKE INSERT, UPDATE ON %s FROM milo_application', partition);
    END LOOP;
END $$;
