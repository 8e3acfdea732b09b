"""The measured servers: uvicorn in a process of its own, with the same options for all."""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

import psutil

from benchmarks.queries import HEADER, TIMING
from milo.ledger import keys

ROOT = Path(__file__).resolve().parent.parent
START_WITHIN = 30.0


class Failed(Exception):
    """A server answered what it should not, or not at all; a measurement of it would mean nothing."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server, and the bearer token with which it is asked."""

    port: int
    process: psutil.Process
    token: str

    def cpu_seconds(self) -> float:
        used = self.process.cpu_times()
        return float(used.user + used.system)

    def memory_mib(self) -> float:
        """Resident memory."""
        return float(self.process.memory_info().rss) / 2**20

    @contextmanager
    def client(self, token: str = "") -> Iterator["Client"]:
        """A connection that is kept alive."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            yield Client(connection, {"Authorization": f"Bearer {token or self.token}"})
        finally:
            connection.close()


@dataclass(frozen=True, slots=True)
class Client:
    connection: http.client.HTTPConnection
    headers: dict[str, str]

    def get(self, path: str) -> bytes:
        return self._ask("GET", path)[0]

    def post(self, path: str, body: bytes) -> bytes:
        return self._ask("POST", path, body)[0]

    def stream(self, path: str) -> Iterator[bytes]:
        """What one GET answers, piece by piece."""
        self.connection.request("GET", path, headers=self.headers)
        response = self.connection.getresponse()
        if response.status != 200:
            raise Failed(f"GET {path}: {response.status} {response.read(500).decode(errors='replace')}")
        while piece := response.read(2**16):
            yield piece

    def queries_of(self, path: str, body: bytes | None = None) -> int:
        """How many queries one GET (or, with `body`, one POST) makes."""
        _content, answered = self._ask("GET" if body is None else "POST", path, body, {HEADER: "1"})
        return int(answered[HEADER])

    def milliseconds_of(self, path: str) -> float:
        """How long the server was at work on one GET."""
        _content, answered = self._ask("GET", path, headers={HEADER: "1"})
        return float(answered[TIMING].partition("dur=")[2])

    def _ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[bytes, Message]:
        typed = {} if body is None else {"Content-Type": "application/json"}
        self.connection.request(method, path, body, {**self.headers, **typed, **(headers or {})})
        response = self.connection.getresponse()
        content = response.read()
        if response.status not in (200, 201):
            raise Failed(f"{method} {path}: {response.status} {content[:500].decode(errors='replace')}")
        return content, response.headers


@contextmanager
def serve(application: list[str], settings: str, database_url: str, token: str) -> Iterator[Server]:
    """Serve an ASGI `application` (arguments of uvicorn) with Django's `settings` until the end of the context."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        # uvicorn takes a descriptor for a Unix socket, and asyncio then leaves Nagle's algorithm on: 40 ms an answer
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port = listening.getsockname()[1]
        options = ["--fd", str(listening.fileno()), "--lifespan", "off", "--log-level", "warning", "--no-access-log"]
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", *application, *options],
            cwd=ROOT,
            env=os.environ
            | {
                "DJANGO_SETTINGS_MODULE": settings,
                "DATABASE_URL": database_url,
                "MILO_DEBUG": "",
                "MILO_LEDGER_SIGNING_KEY": keys.new_key(),
                "MILO_REQUESTS_PER_MINUTE": "0",
            },
            pass_fds=[listening.fileno()],
        )
    try:
        _wait_for(process, port)
        yield Server(port, psutil.Process(process.pid), token)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(process: "subprocess.Popen[bytes]", port: int) -> None:
    end = time.monotonic() + START_WITHIN
    while True:
        if process.poll() is not None:
            raise Failed(f"the server ended with status {process.returncode}")
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
            connection.request("GET", "/")
            connection.getresponse()
            return
        except OSError:
            if time.monotonic() > end:
                raise Failed(f"no server at port {port} after {START_WITHIN:.0f} s") from None
            time.sleep(0.05)
        finally:
            connection.close()
