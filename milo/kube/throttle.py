"""Bounds what one bearer token, or one address without a valid one, may ask in a minute."""

import hashlib
from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle


class RequestThrottle(SimpleRateThrottle):
    """At most MILO_REQUESTS_PER_MINUTE; beyond it 429 with Retry-After.

    Counted in the memory of each process, so that no read becomes a write; several processes allow as many times more.
    """

    scope = "requests"

    def get_rate(self) -> str:
        return f"{settings.MILO_REQUESTS_PER_MINUTE}/minute"

    def get_cache_key(self, request: Request, view: Any) -> str:
        secret = request.headers.get("Authorization", "")
        known = request.auth is not None
        ident = hashlib.sha256(secret.encode()).hexdigest() if known else str(self.get_ident(request))
        return f"throttle:{ident}"
