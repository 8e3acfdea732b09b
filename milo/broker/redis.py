"""kombu's transports of Redis, whose channels say that they are closed.

kombu 5.7 raises an AttributeError where a channel is used after its connection was lost, as a worker does that
acknowledges a task which ended meanwhile. That is no error of a connection to Celery, and so it ended the worker.
"""

from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis
from redis.exceptions import ConnectionError


class _SaysThatItIsClosed:
    """kombu sets `client`, its connection, to None when it is lost. To read it then raises the error of a lost one."""

    _client: Any = None

    @property
    def client(self) -> Any:
        if self._client is None:
            raise ConnectionError("the connection to the broker was lost")
        return self._client

    @client.setter
    def client(self, client: Any) -> None:
        self._client = client


class Transport(_SaysThatItIsClosed, redis.Transport):
    """For one Redis."""


class SentinelTransport(_SaysThatItIsClosed, redis.SentinelTransport):
    """For Redis behind Sentinels."""


def register() -> None:
    """Have kombu take these for its URLs, of several brokers too, between which it changes by their schemes."""
    TRANSPORT_ALIASES.update(
        redis=f"{__name__}:Transport",
        rediss=f"{__name__}:Transport",
        sentinel=f"{__name__}:SentinelTransport",
    )
