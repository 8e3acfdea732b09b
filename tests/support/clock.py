"""A clock that a test sets."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time

import pytest
from django.utils import timezone


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[date], None]:
    """Call it with a day: it is noon (UTC) of that day from then on."""
    return lambda day: monkeypatch.setattr(timezone, "now", lambda: datetime.combine(day, time(12), UTC))
