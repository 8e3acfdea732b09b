"""Run `migrate` beside traffic: as the owner of the tables, one process at a time, with short waits for locks.

Start with `milo/management/commands/migrate.py`. Most of this is for PostgreSQL; SQLite has a single writer.
"""
