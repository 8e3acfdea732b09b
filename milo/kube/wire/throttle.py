"""Rate limit per bearer token, or per address without a valid token."""

import time
from typing import Any

from django.conf import settings
from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from milo.access import Actor

WINDOW_SECONDS = 60


class RequestThrottle(BaseThrottle):
    """Allow MILO_REQUESTS_PER_MINUTE requests (0: unlimited), then answer 429 with Retry-After.

    Each process counts in its own memory, so that no read causes a write; N processes allow N times the limit. It keeps
    one number a minute, where DRF's throttle keeps the time of every request.
    """

    def allow_request(self, request: Request, view: Any) -> bool:
        limit = settings.MILO_REQUESTS_PER_MINUTE
        if not limit:
            return True
        key = f"requests:{self._ident(request)}:{int(time.time()) // WINDOW_SECONDS}"
        if cache.add(key, 1, WINDOW_SECONDS):
            return True
        try:
            return cache.incr(key) <= limit
        except ValueError:
            return True  # the key expired between add and incr

    def _ident(self, request: Request) -> str:
        """Return the credential of a valid token, else the address: all guesses of one client count together."""
        return request.auth.credential if isinstance(request.auth, Actor) else str(self.get_ident(request))

    def wait(self) -> float:
        return WINDOW_SECONDS - time.time() % WINDOW_SECONDS
