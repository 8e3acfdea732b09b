"""The database: SQLite in the data folder, or the one of DATABASE_URL."""

from typing import Any

import dj_database_url

from milo.settings.environment import DATA_DIR, environment

MILO_THREADS = environment.server.threads


def _database(url: str) -> dict[str, Any]:
    config: dict[str, Any] = {**dj_database_url.parse(url)}
    options = config.setdefault("OPTIONS", {})
    if config["ENGINE"].endswith("sqlite3"):
        # with SQLite's defaults 16 threads get "database is locked" (docs/traps.md)
        options |= {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL",
        }
        # opening the file takes longer than the rest of a read
        config["CONN_MAX_AGE"] = 600
    else:
        options |= {
            # a few more than threads, because watches borrow connections briefly
            "pool": {"min_size": 1, "max_size": MILO_THREADS + 4, "timeout": 20},
            # a connection prepares a statement at its fifth execution
            "server_side_binding": True,
            "prepare_threshold": 5,
        }
    return config


DATABASES = {"default": _database(environment.stores.database_url or f"sqlite:///{DATA_DIR}/milo.sqlite3")}
