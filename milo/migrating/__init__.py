"""How `migrate` runs beside a service that goes on: by the owner alone, one at a time, never long in front of others.

Start with `milo/management/commands/migrate.py`. PostgreSQL decides most of it; SQLite has one writer anyway.
"""
