"""One process that serves, and its graceful stop.

At SIGTERM it fails its readiness for MILO_DRAIN_SECONDS, while it goes on serving: balancers take it out. Then it takes
no more connections, watches end with a bookmark, and requests that run are answered. It has left after
MILO_STOP_SECONDS, whatever still runs.
"""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import structlog
import uvicorn
from django.conf import settings

from milo import stopping
from milo.web.measuring import pool_meter
from milo.web.protocol import Protocol

MARGIN_SECONDS = 1
"""What is left of MILO_STOP_SECONDS to close the process when requests have been cut off."""
TICKS_OF_POOL = 10
"""The pool is measured each second: uvicorn has ten ticks in one."""
log = structlog.get_logger(__name__)


def config(*, certificate: str | None = None, key: str | None = None) -> uvicorn.Config:
    """Return uvicorn's configuration of the application, by the settings; over TLS where there is a certificate."""
    return uvicorn.Config(
        "milo.asgi:application",
        lifespan="off",
        http=Protocol,
        ws="none",
        server_header=False,
        # the settings say what is logged, and how
        log_config=None,
        access_log=False,
        proxy_headers=bool(settings.MILO_TRUSTED_PROXIES),
        forwarded_allow_ips=list(settings.MILO_TRUSTED_PROXIES),
        timeout_keep_alive=settings.MILO_KEEP_ALIVE_SECONDS,
        # not negative: a start with less time to stop than to drain is refused
        timeout_graceful_shutdown=settings.MILO_STOP_SECONDS - settings.MILO_DRAIN_SECONDS - MARGIN_SECONDS,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )


class Server(uvicorn.Server):
    """uvicorn's server, which stops in this order. It ends too when the process that started it does."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._parent = os.getppid()
        self._leave_at: float | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals, and do not raise them again at the end: who stops gracefully has exit status 0."""
        former = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Begin to stop; at Ctrl-C, or when asked again, without waiting for balancers."""
        self.stop(0 if sig == signal.SIGINT or self._leave_at is not None else settings.MILO_DRAIN_SECONDS)

    def stop(self, drain_seconds: float) -> None:
        """Say that the process is not ready, and take no more connections after so many seconds."""
        if self._leave_at is None:
            timer = threading.Timer(settings.MILO_STOP_SECONDS, _leave_by_force)
            timer.daemon = True
            timer.start()
        self._leave_at = monotonic() + drain_seconds
        stopping.begin()

    async def on_tick(self, counter: int) -> bool:
        if self._leave_at is None and os.getppid() != self._parent:
            self.stop(0)
        if self._leave_at is not None and monotonic() >= self._leave_at:
            self.should_exit = True
        if counter % TICKS_OF_POOL == 0:
            pool_meter.measure()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        stopping.end_streams()
        await super().shutdown(sockets)


def _leave_by_force() -> None:
    log.warning("stopped_by_force", seconds=settings.MILO_STOP_SECONDS)
    os._exit(1)


class Work:
    """What each process does with the listening socket; another process can be given it."""

    def __init__(self, certificate: str | None = None, key: str | None = None) -> None:
        self._certificate, self._key = certificate, key

    def __call__(self, listening: socket.socket) -> None:
        Server(config(certificate=self._certificate, key=self._key)).run([listening])
