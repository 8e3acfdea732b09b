"""The database: SQLite in the data folder, or the one of DATABASE_URL."""

import os
from typing import Any

import dj_database_url

from milo.settings.environment import DATA_DIR, environment

MILO_THREADS = environment.server.threads
_stores = environment.stores


def timeouts(of_one_statement: int) -> str:
    """Return the options of libpq that bound statements and idle transactions, in seconds, and waits for locks."""
    milliseconds = {
        "statement_timeout": of_one_statement,
        "idle_in_transaction_session_timeout": of_one_statement,
        "lock_timeout": _stores.lock_timeout_seconds,
    }
    return " ".join(f"-c {name}={seconds * 1000}" for name, seconds in milliseconds.items())


def _database(url: str) -> dict[str, Any]:
    config: dict[str, Any] = {**dj_database_url.parse(url)}
    options = config.setdefault("OPTIONS", {})
    if config["ENGINE"].endswith("sqlite3"):
        config["ENGINE"] = "milo.sqlite"
        # with SQLite's defaults 16 threads get "database is locked" (docs/traps.md)
        options |= {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL",
        }
        # opening the file takes longer than the rest of a read
        config["CONN_MAX_AGE"] = 600
    else:
        config["ENGINE"] = "milo.postgresql"
        options |= _postgresql(options.get("options", ""))
    return config


def _postgresql(given: str) -> dict[str, Any]:
    """Return the options of each connection; `given` are options of libpq that the URL names, which come last."""
    connect_seconds = _stores.database_connect_seconds
    return {
        # a few more than threads, because watches borrow connections briefly; after 2 s the next request connects
        "pool": {
            "min_size": 1,
            "max_size": MILO_THREADS + 4,
            "timeout": connect_seconds,
            "reconnect_timeout": 2,
        },
        # a server that is gone without a word is noticed; libpq ignores these on a socket of the same machine
        "connect_timeout": connect_seconds,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,
        "options": f"{timeouts(_stores.background_timeout_seconds)} {given}".rstrip(),
        # a connection prepares a statement at its fifth execution
        "server_side_binding": True,
        "prepare_threshold": 5,
    }


DATABASES = {"default": _database(_stores.database_url or f"sqlite:///{DATA_DIR}/milo.sqlite3")}
# those of processes that serve requests, which milo/asgi.py sets: no client waits for an hour
MILO_REQUEST_TIMEOUTS = timeouts(_stores.statement_timeout_seconds)
# SQLite has one writer at a time, and all of its writers best wait in one process
_PROCESSES = min(4, len(os.sched_getaffinity(0))) if DATABASES["default"]["ENGINE"] == "milo.postgresql" else 1
MILO_WORKERS = environment.server.workers or _PROCESSES
