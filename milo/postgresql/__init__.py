"""Django's backend of PostgreSQL, with a pool that recovers at once when the server was restarted."""
