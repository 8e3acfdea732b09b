"""`python -m milo.dev.server HTTP HTTPS CERTIFICATE`: Milo on two listening sockets, given as file descriptors."""

import asyncio
import signal
import socket
import sys
from contextlib import AbstractContextManager, nullcontext

import uvicorn

# a watch never ends by itself, and Ctrl-C should not wait for it
GRACE_SECONDS = 2


class Server(uvicorn.Server):
    """Leaves the signals to the loop that runs both."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()


def _server(certificate: str | None = None) -> Server:
    config = uvicorn.Config(
        "milo.asgi:application",
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        # the settings say what is logged, and how
        log_config=None,
        ssl_certfile=certificate,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return Server(config)


async def serve(http: int, https: int, certificate: str) -> None:
    """Serve both sockets in one loop until SIGINT or SIGTERM."""
    servers = {_server(): http, _server(certificate): https}

    def stop() -> None:
        for server in servers:
            server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    await asyncio.gather(*(server.serve([socket.socket(fileno=fd)]) for server, fd in servers.items()))


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
