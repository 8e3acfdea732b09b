"""Where data and messages are kept."""

from dataclasses import dataclass
from typing import Any

from milo.settings import values
from milo.settings.variables import variable


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """The database, the broker and the archive."""

    database_url: str | None = variable(
        "DATABASE_URL",
        values.DATABASE_URL,
        None,
        "The database.",
        shown="`milo.sqlite3` in the data folder",
        secret=True,
    )
    database_connect_seconds: int = variable(
        "MILO_DATABASE_CONNECT_SECONDS",
        values.number(1, 300),
        5,
        "How long a request or task waits for a connection to PostgreSQL. Then it is answered with 503.",
    )
    statement_timeout_seconds: int = variable(
        "MILO_STATEMENT_TIMEOUT_SECONDS",
        values.number(0, 86_400),
        30,
        "PostgreSQL ends a statement of a request after so long, and a transaction that has been idle for so long;"
        " 0 is no limit.",
    )
    background_timeout_seconds: int = variable(
        "MILO_BACKGROUND_TIMEOUT_SECONDS",
        values.number(0, 86_400),
        3600,
        "The same in workers and commands; 0 is no limit.",
    )
    lock_timeout_seconds: int = variable(
        "MILO_LOCK_TIMEOUT_SECONDS",
        values.number(0, 86_400),
        10,
        "PostgreSQL ends a statement that has waited for a lock for so long: a request is answered with 429, a task"
        " runs again at its next turn; 0 is no limit.",
    )
    broker_url: str = variable(
        "CELERY_BROKER_URL",
        values.BROKER_URL,
        "filesystem://",
        "The broker of background work. With `filesystem://` messages are files in the data folder, for processes of"
        " one machine.",
        secret=True,
    )
    archive_storage: str = variable(
        "MILO_ARCHIVE_STORAGE",
        values.DOTTED_PATH,
        "",
        "The Django storage class for bundles of archived accounts.",
        shown="files in `archive` of the data folder",
    )
    archive_options: dict[str, Any] | None = variable(
        "MILO_ARCHIVE_OPTIONS",
        values.JSON_OBJECT,
        None,
        "The arguments of `MILO_ARCHIVE_STORAGE`.",
        shown="none",
        secret=True,
    )
