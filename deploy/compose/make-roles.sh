#!/bin/sh
# The roles and the database, made once when the volume of PostgreSQL is new (deploy/postgresql-roles.sql says why three).
set -eu
psql --quiet -v ON_ERROR_STOP=1 --username postgres \
    -v owner="$(cat /run/secrets/owner-password)" -v application="$(cat /run/secrets/application-password)" <<'SQL'
CREATE ROLE milo_owner LOGIN PASSWORD :'owner';
CREATE ROLE milo_application NOLOGIN;
CREATE ROLE milo LOGIN PASSWORD :'application' IN ROLE milo_application;
CREATE DATABASE milo OWNER milo_owner;
SQL
