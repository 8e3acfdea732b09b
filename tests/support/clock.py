"""A clock that tests can set."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time

import pytest
from django.utils import timezone


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[date], None]:
    """Return a function that sets the clock to noon (UTC) of a day."""
    return lambda day: monkeypatch.setattr(timezone, "now", lambda: datetime.combine(day, time(12), UTC))
