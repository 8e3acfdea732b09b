#!/bin/sh
# Make new secrets in the folder secrets beside this file, once. Existing ones stay: the volume of PostgreSQL has their passwords.
set -eu
cd "$(dirname "$0")"
mkdir -m 0700 secrets
cd secrets
random() { openssl rand -hex 32; }
for name in administrator-password owner-password application-password secret-key; do
    random >"$name"
done
echo "postgresql://milo_owner:$(cat owner-password)@postgresql/milo" >owner-database-url
echo "postgresql://milo:$(cat application-password)@postgresql/milo" >database-url
openssl genpkey -algorithm ed25519 -out ledger-signing-key
echo "redis://redis:6379/0" >broker-url
# the folder is its owner's alone; users in containers read the files that are mounted
chmod 0444 ./*
