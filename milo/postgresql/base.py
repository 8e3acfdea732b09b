"""The database engine `milo.postgresql`: https://docs.djangoproject.com/en/5.2/ref/databases/#connection-pool"""

from collections.abc import Callable
from typing import Any

from django.db.backends.base.base import NO_DB_ALIAS
from django.db.backends.postgresql import base
from psycopg import Connection
from psycopg_pool import ConnectionPool


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's PostgreSQL backend with a `Pool`."""

    # of Django's, which its stubs leave out
    _connection_pools: "dict[str, Pool]"
    _configure_connection: Callable[[Connection[Any]], Any]

    @property
    def pool(self) -> "Pool | None":
        """Return the pool of the process, made at first use; None where the settings ask for no pool."""
        options = self.settings_dict["OPTIONS"].get("pool")
        if self.alias == NO_DB_ALIAS or not options:
            return None
        if self.alias not in self._connection_pools:
            parameters = {**self.get_connection_params(), "autocommit": True}
            made = Pool(kwargs=parameters, open=False, configure=self._configure_connection, **options)
            # of two threads that made one, neither has opened its own
            self._connection_pools.setdefault(self.alias, made)
        return self._connection_pools[self.alias]


class Pool(ConnectionPool[Connection[Any]]):
    """Hands out only connections that work, and goes on connecting for as long as somebody waits."""

    def __init__(self, **options: Any) -> None:
        super().__init__(check=self._check_or_drain, **options)

    def _check_or_drain(self, connection: "Connection[Any]") -> None:
        """Check a connection on checkout. If it is broken, discard all idle ones.

        Otherwise a request would try the idle ones one by one, and the pool waits 1, 2, 4 seconds in between.
        """
        try:
            self.check_connection(connection)
        except Exception:
            self.drain()
            raise

    def reconnect_failed(self) -> None:
        """Reconnect if requests wait. psycopg_pool itself would reconnect only at the next checkout."""
        if self.get_stats().get("requests_waiting"):
            self.check()
