"""The time that a process takes to stop is the one of the settings, whatever its parts are."""

import asyncio
import signal
import threading
from typing import Any

import pytest
from pytest_django import Settings

from milo import stopping
from milo.web import server

pytestmark = pytest.mark.once
BEGUN = 1000.0


class Timer:
    """A timer that only says what was asked of it."""

    started: list[tuple[float, Any]] = []

    def __init__(self, seconds: float, function: Any) -> None:
        self._asked = seconds, function
        self.daemon = False

    def start(self) -> None:
        assert self.daemon, "it would keep the process"
        Timer.started.append(self._asked)


@pytest.fixture
def instant(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The only item is the present, for the server; nothing of the process stops."""
    now = [BEGUN]
    Timer.started = []
    monkeypatch.setattr(server, "monotonic", lambda: now[0])
    monkeypatch.setattr(threading, "Timer", Timer)
    monkeypatch.setattr(stopping, "begin", lambda: None)
    return now


def leaves(process: server.Server) -> bool:
    return asyncio.run(process.on_tick(1))


@pytest.mark.parametrize(("drain", "stop"), [(5, 30), (0, 1), (29, 30), (0, 3600)])
def test_draining_answering_and_closing_take_the_stated_time_together(
    settings: Settings, instant: list[float], drain: int, stop: int
) -> None:
    settings.MILO_DRAIN_SECONDS, settings.MILO_STOP_SECONDS = drain, stop
    config = server.config()
    assert config.timeout_graceful_shutdown is not None
    assert config.timeout_graceful_shutdown >= 0
    assert drain + config.timeout_graceful_shutdown + server.MARGIN_SECONDS == stop
    process = server.Server(config)
    assert not leaves(process)
    process.handle_exit(signal.SIGTERM, None)
    # whatever still runs then is cut off
    assert Timer.started == [(stop, server._leave_by_force)]
    instant[0] = BEGUN + drain - 0.5
    assert leaves(process) is False
    instant[0] = BEGUN + drain
    assert leaves(process) is True


def test_asked_again_it_drains_no_longer_and_ends_no_later(settings: Settings, instant: list[float]) -> None:
    settings.MILO_DRAIN_SECONDS, settings.MILO_STOP_SECONDS = 5, 30
    process = server.Server(server.config())
    process.handle_exit(signal.SIGTERM, None)
    assert leaves(process) is False
    process.handle_exit(signal.SIGTERM, None)
    assert leaves(process) is True
    assert [seconds for seconds, _function in Timer.started] == [30]
