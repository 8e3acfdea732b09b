"""Bounds what one bearer token, or one address without a valid one, may ask in a minute."""

import time
from typing import Any

from django.conf import settings
from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from milo.access import Actor

WINDOW_SECONDS = 60


class RequestThrottle(BaseThrottle):
    """At most MILO_REQUESTS_PER_MINUTE (0: as many as they like); beyond it 429 with Retry-After.

    Counted in the memory of each process, so that no read becomes a write: several processes allow as many times more.
    One number a minute, where DRF's own keeps a list of every request.
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
            return True  # the minute ended between the two

    def _ident(self, request: Request) -> str:
        """Return the credential where there is one, however it is spelled, else the address: guesses count together."""
        return request.auth.credential if isinstance(request.auth, Actor) else str(self.get_ident(request))

    def wait(self) -> float:
        return WINDOW_SECONDS - time.time() % WINDOW_SECONDS
