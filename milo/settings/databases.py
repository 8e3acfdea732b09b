"""SQLite beside the installation's other files, or the PostgreSQL that the environment names."""

import os
from typing import Any

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from milo.settings.environment import DATA_DIR

# requests that are worked on at once; more wait their turn
MILO_THREADS = 16


def _database(url: str) -> dict[str, Any]:
    try:
        config: dict[str, Any] = {**dj_database_url.parse(url)}
    except ValueError as error:
        raise ImproperlyConfigured("DATABASE_URL must begin with sqlite:// or postgresql://") from error
    options = config.setdefault("OPTIONS", {})
    if config["ENGINE"].endswith("sqlite3"):
        # traps.md: with SQLite's defaults 16 threads meet "database is locked"
        options |= {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL",
        }
        # opening the file took longer than all else that a read does
        config["CONN_MAX_AGE"] = 600
    elif config["ENGINE"].endswith("postgresql"):
        options |= {
            # watches borrow connections too, and hold none
            "pool": {"min_size": 1, "max_size": MILO_THREADS + 4, "timeout": 20},
            # a statement that a connection has seen 5 times is planned once and for all
            "server_side_binding": True,
            "prepare_threshold": 5,
        }
    else:
        raise ImproperlyConfigured("DATABASE_URL must begin with sqlite:// or postgresql://")
    return config


DATABASES = {"default": _database(os.environ.get("DATABASE_URL") or f"sqlite:///{DATA_DIR}/milo.sqlite3")}
