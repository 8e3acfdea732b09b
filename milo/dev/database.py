"""Reachability and printable name of the configured database."""

import psycopg
from django.db import connection


def name() -> str:
    """Return path or address of the database, without user and password."""
    at = connection.settings_dict
    if connection.vendor == "sqlite":
        return str(at["NAME"])
    return f"{at['HOST'] or 'localhost'}:{at['PORT'] or 5432}/{at['NAME']}"


def reach() -> None:
    """Connect once. Raises the database error of Django or psycopg."""
    if connection.vendor == "postgresql":
        # without the pool, which would retry for 20 s
        psycopg.connect(**connection.get_connection_params() | {"connect_timeout": 5}).close()
    else:
        connection.ensure_connection()
