"""The public keys of an identity provider (RFC 7517), cached in memory."""

from threading import Lock
from time import monotonic

import jwt
import structlog

from milo.errors import Unavailable

log = structlog.get_logger(__name__)
TIMEOUT_SECONDS = 5
# a withdrawn key is accepted for at most this long
REFRESHED_AFTER_SECONDS = 300
# bounds the fetches caused by tokens with invented key ids, or while the provider is unavailable
ASKED_AT_MOST_EVERY_SECONDS = 30


class SigningKeys:
    """The keys at `url`, by key id. Cached keys stay in use while the provider is unavailable."""

    def __init__(self, url: str) -> None:
        # no cache of PyJWT: while the provider is unavailable, it repeats the fetch for each token, under its lock
        self._client = jwt.PyJWKClient(url, cache_jwk_set=False, timeout=TIMEOUT_SECONDS)
        self._lock = Lock()
        self._known: dict[str, jwt.PyJWK] | None = None
        self._fetched_at = self._asked_at = float("-inf")

    def of(self, key_id: object) -> jwt.PyJWK:
        """Return the key with this id. Raises `jwt.PyJWKError` if it is unknown, `Unavailable` if no keys are known."""
        with self._lock:
            now = monotonic()
            old = now > self._fetched_at + REFRESHED_AFTER_SECONDS
            if (old or key_id not in (self._known or {})) and now > self._asked_at + ASKED_AT_MOST_EVERY_SECONDS:
                self._asked_at = now
                self._fetch(now)
            if self._known is None:
                raise Unavailable("the keys of the identity provider cannot be had now; try again")
            if not isinstance(key_id, str) or key_id not in self._known:
                raise jwt.PyJWKError("there is no key of this id")
            return self._known[key_id]

    def _fetch(self, now: float) -> None:
        try:
            keys = self._client.get_signing_keys(refresh=True)
        except (jwt.PyJWTError, OSError, ValueError) as error:
            log.warning("signing_keys_unavailable", url=self._client.uri, error=error)
            return
        self._known = {key.key_id: key for key in keys if key.key_id}
        self._fetched_at = now
