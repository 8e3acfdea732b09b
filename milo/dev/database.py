"""The database of the settings: whether it answers, and what to call it."""

import psycopg
from django.db import connection


def name() -> str:
    """Where the database is, without user and password."""
    at = connection.settings_dict
    if connection.vendor == "sqlite":
        return str(at["NAME"])
    return f"{at['HOST'] or 'localhost'}:{at['PORT'] or 5432}/{at['NAME']}"


def reach() -> None:
    """Connect once. Raises the `Error` of Django or of psycopg, whose text says why."""
    if connection.vendor == "postgresql":
        # outside the pool, which would go on trying for 20 s
        psycopg.connect(**connection.get_connection_params() | {"connect_timeout": 5}).close()
    else:
        connection.ensure_connection()
