"""What a connection may send before a request begins: the head in time, and not without end."""

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from milo.web.protocol import HEAD_BYTES, Protocol


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


@pytest.fixture
def address(settings: Any) -> Iterator[tuple[str, int]]:
    settings.MILO_HEADER_SECONDS = 0.5
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(hello, http=Protocol, lifespan="off", log_level="warning"))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    yield listening.getsockname()
    server.should_exit = True
    thread.join(10)


def said(connection: socket.socket, end: bytes | None = None) -> bytes:
    """What comes until the connection ends, or until `end` has come."""
    connection.settimeout(10)
    received = b""
    while not (end and received.endswith(end)) and (part := connection.recv(4096)):
        received += part
    return received


@pytest.mark.parametrize("beginning", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\n"])
def test_a_head_that_does_not_arrive_ends_the_connection(address: tuple[str, int], beginning: bytes) -> None:
    with socket.create_connection(address) as connection:
        begun = time.monotonic()
        connection.sendall(beginning)
        assert said(connection).startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - begun < 5


def test_the_bound_holds_for_the_second_request_of_a_connection_and_not_for_its_pause(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert said(connection, b"hello").endswith(b"hello")
        time.sleep(1)
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert said(connection, b"hello").endswith(b"hello")
        connection.sendall(b"GET / HTTP/1.1\r\n")
        assert said(connection).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * HEAD_BYTES + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: " + b"a" * HEAD_BYTES + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * (HEAD_BYTES // 2) + b"\r\n",
    ],
)
def test_a_head_that_is_too_large_is_refused(address: tuple[str, int], head: bytes) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(head)
        assert said(connection).startswith(b"HTTP/1.1 431 ")
