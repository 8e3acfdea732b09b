"""`python -m milo.dev.server HTTP HTTPS CERTIFICATE`: serve two listening sockets, passed as file descriptors."""

import asyncio
import signal
import socket
import sys
from contextlib import AbstractContextManager, nullcontext

import uvicorn

# a watch does not end by itself, and Ctrl-C must not wait for it
GRACE_SECONDS = 2


class Server(uvicorn.Server):
    """A server that leaves signals to the event loop of both."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()


def _server(certificate: str | None = None) -> Server:
    config = uvicorn.Config(
        "milo.asgi:application",
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        # Django's settings configure the logs
        log_config=None,
        ssl_certfile=certificate,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return Server(config)


async def serve(http: int, https: int, certificate: str) -> None:
    """Serve both sockets in one event loop until SIGINT or SIGTERM."""
    servers = {_server(): http, _server(certificate): https}

    def stop() -> None:
        for server in servers:
            server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    await asyncio.gather(*(server.serve([socket.socket(fileno=fd)]) for server, fd in servers.items()))


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
