"""Sessions of the staff site. They expire when idle or old, and can be listed and ended."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth import SESSION_KEY, logout
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.models import Session
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from milo import clock
from milo.identity import unsent

log = structlog.get_logger(__name__)
STARTED, USED, ADDRESS = "milo_started", "milo_used", "milo_address"
# not at each request, since that would turn every read into a write
USE_RECORDED_EVERY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class StaffSession:
    """A session of a person. `id` is a digest of the session key; the key itself would let its reader take over."""

    id: str
    started_at: datetime
    used_at: datetime
    address: str


def start(request: HttpRequest, **kwargs: Any) -> None:
    """Note start, last use and address in the session. Receiver of `user_logged_in`."""
    now = timezone.now().timestamp()
    address = request.META.get("REMOTE_ADDR", "")
    request.session.update({STARTED: now, USED: now, ADDRESS: address})


class SessionAgeMiddleware:
    """End sessions that were idle for MILO_SESSION_IDLE_MINUTES or are MILO_SESSION_HOURS old.

    What was kept in one of a form that was not sent is forgotten after an hour (`unsent`).
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        # without the cookie, as in requests to the API, do not query the database for a session
        if settings.SESSION_COOKIE_NAME in request.COOKIES:
            unsent.forget_old(request.session)
            if SESSION_KEY in request.session:
                self._age(request)
        return self.get_response(request)

    def _age(self, request: HttpRequest) -> None:
        now = timezone.now().timestamp()
        if _has_ended(request.session, now):
            unsent.note_person(request)
            logout(request)
        elif now - request.session[USED] > min(USE_RECORDED_EVERY_SECONDS, settings.MILO_SESSION_IDLE_MINUTES * 6):
            request.session[USED] = now


def _has_ended(session: Any, now: float) -> bool:
    """Return whether a session has expired. One without timestamps, from an older version, has."""
    idle, age = now - session.get(USED, 0), now - session.get(STARTED, 0)
    return bool(idle > settings.MILO_SESSION_IDLE_MINUTES * 60 or age > settings.MILO_SESSION_HOURS * 3600)


def digest(key: str | None) -> str:
    """Return the id of a session: the SHA-256 of its key, in hexadecimal."""
    return hashlib.sha256((key or "").encode()).hexdigest()


def sessions_of(user: User) -> list[StaffSession]:
    """Return the open sessions of a person, the last used first."""
    sessions = [
        StaffSession(digest(key), _instant(data[STARTED]), _instant(data[USED]), data.get(ADDRESS, ""))
        for key, data in _open(user)
    ]
    return sorted(sessions, key=lambda session: session.used_at, reverse=True)


def end(user: User, *ids: str) -> int:
    """End the sessions `ids` of a person, or all without `ids`. Return the number of ended sessions.

    The next request of an ended session gets the log-in page.
    """
    keys = [key for key, _data in _open(user) if not ids or digest(key) in ids]
    count, _tables = Session.objects.filter(session_key__in=keys).delete()
    log.info("sessions_ended", user=user.pk, count=count)
    return count


def forget_expired() -> int:
    """Delete the sessions that have expired, and return how many. Raises `ClockWrong`."""
    clock.refuse_wrong()
    return Session.objects.filter(expire_date__lt=timezone.now()).delete()[0]


def _open(user: User) -> Iterator[tuple[str, dict[str, Any]]]:
    now = timezone.now()
    for session in Session.objects.filter(expire_date__gt=now).iterator():
        data = session.get_decoded()
        if data.get(SESSION_KEY) == str(user.pk) and not _has_ended(data, now.timestamp()):
            yield session.session_key, data


def _instant(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


user_logged_in.connect(start, dispatch_uid="milo.identity.sessions")
