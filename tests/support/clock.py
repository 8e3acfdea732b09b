"""A clock that tests can set."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, date, datetime, time, timedelta

import pytest
from django.utils import timezone

Travel = Callable[[timedelta], AbstractContextManager[None]]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[date], None]:
    """Return a function that sets the clock to noon (UTC) of a day."""
    return lambda day: monkeypatch.setattr(timezone, "now", lambda: datetime.combine(day, time(12), UTC))


@pytest.fixture
def travelling(monkeypatch: pytest.MonkeyPatch) -> Travel:
    """Return a context in which every clock is that much later."""
    now = timezone.now

    @contextmanager
    def travel(by: timedelta) -> Iterator[None]:
        with monkeypatch.context() as patched:
            patched.setattr(timezone, "now", lambda: now() + by)
            yield

    return travel
