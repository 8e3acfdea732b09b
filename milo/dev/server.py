"""`python -m milo.dev.server HTTP HTTPS CERTIFICATE`: serve two listening sockets, passed as file descriptors."""

import asyncio
import signal
import socket
import sys
from contextlib import AbstractContextManager, nullcontext

from milo.web import server

STOP_SECONDS = 2
"""Ctrl-C waits for no request that takes longer."""


class Server(server.Server):
    """A server that leaves signals to the event loop of both."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()


def _server(certificate: str | None = None) -> Server:
    config = server.config(certificate=certificate)
    config.timeout_graceful_shutdown = STOP_SECONDS
    return Server(config)


async def serve(http: int, https: int, certificate: str) -> None:
    """Serve both sockets in one event loop until SIGINT or SIGTERM."""
    servers = {_server(): http, _server(certificate): https}

    def stop() -> None:
        for each in servers:
            each.stop(0)

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    await asyncio.gather(*(each.serve([socket.socket(fileno=fd)]) for each, fd in servers.items()))


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
