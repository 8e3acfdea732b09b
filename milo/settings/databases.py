"""SQLite beside the installation's other files, or the PostgreSQL that the environment names."""

from typing import Any

import dj_database_url

from milo.settings.environment import DATA_DIR, environment

MILO_THREADS = environment.server.threads


def _database(url: str) -> dict[str, Any]:
    config: dict[str, Any] = {**dj_database_url.parse(url)}
    options = config.setdefault("OPTIONS", {})
    if config["ENGINE"].endswith("sqlite3"):
        # docs/traps.md: with SQLite's defaults 16 threads meet "database is locked"
        options |= {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL",
        }
        # opening the file took longer than all else that a read does
        config["CONN_MAX_AGE"] = 600
    else:
        options |= {
            # watches borrow connections too, and hold none
            "pool": {"min_size": 1, "max_size": MILO_THREADS + 4, "timeout": 20},
            # a statement that a connection has seen 5 times is planned once and for all
            "server_side_binding": True,
            "prepare_threshold": 5,
        }
    return config


DATABASES = {"default": _database(environment.stores.database_url or f"sqlite:///{DATA_DIR}/milo.sqlite3")}
