"""A Redis that is killed ends no worker: what comes too late is a lost connection, and no other error."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from kombu.connection import Connection
from kombu.entity import Queue
from kombu.transport import TRANSPORT_ALIASES

from milo.celery import PoolKeeper, app

QUEUE = "acknowledged-late"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A server of this test's own on a socket, and its URL."""
    socket = tmp_path / "redis.sock"
    command = ["redis-server", "--port", "0", "--unixsocket", str(socket), "--dir", str(tmp_path), "--save", ""]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 10
    while not socket.exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    yield server, f"redis+socket://{socket}"
    server.kill()
    server.wait()


def test_what_is_acknowledged_after_the_connection_was_lost_is_a_connection_error(
    redis: tuple[subprocess.Popen[bytes], str],
) -> None:
    server, url = redis
    taken: list[Any] = []
    broker = Connection(url)
    queue = Queue(QUEUE, channel=broker.default_channel)
    queue.declare()
    broker.Producer().publish({"number": 1}, routing_key=QUEUE)
    with broker.Consumer([queue], callbacks=[lambda _body, message: taken.append(message)]):
        broker.drain_events(timeout=5)
    server.kill()
    server.wait()
    # as Celery does where it notices
    broker.collect(socket_timeout=1)
    with pytest.raises(broker.connection_errors):
        taken[0].ack()


@pytest.mark.parametrize("scheme", ["redis", "rediss", "sentinel"])
def test_every_transport_of_redis_is_ours(scheme: str) -> None:
    assert TRANSPORT_ALIASES[scheme].startswith("milo.broker.redis:")


@pytest.mark.django_db(transaction=True)
def test_a_worker_keeps_its_pool_from_one_task_to_the_next() -> None:
    (fixup,) = app._fixups
    keeper = fixup.worker_fixup
    assert isinstance(keeper, PoolKeeper)
    keeper.worker = SimpleNamespace(pool_cls="prefork")
    pool = getattr(connection, "pool", None)
    for _ in range(2):
        connection.ensure_connection()
        keeper.on_task_postrun(sender=SimpleNamespace(request=SimpleNamespace(is_eager=False)))
        if connection.vendor == "postgresql":
            assert connection.connection is None, "it went back to the pool"
            assert getattr(connection, "pool", None) is pool
            assert not getattr(pool, "closed", True)
