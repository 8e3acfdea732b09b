"""Continue tokens: the encrypted cursor of the next page of a list. Only this server reads or makes them."""

import base64
import binascii
import hashlib
from functools import lru_cache
from typing import Any

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.utils.translation import gettext as _

from milo.errors import Refused

# https://github.com/fernet/spec/blob/master/Spec.md: version, time and IV, blocks of AES, HMAC
_VERSION, _HEAD, _BLOCK, _HMAC = 0x80, 25, 16, 32


class Malformed(Refused):
    """The text is not a continue token, or belongs to another list."""


class Unreadable(Refused):
    """The text has the form of a token, but was made with none of the current keys.

    The cursor cannot be read, so the answer has no fresh token, and the client must start the list again.
    """

    reason = "Expired"


def seal(place: Any, purpose: str) -> str:
    """Return `place`, a JSON value, as an encrypted token for URLs. Only `unseal` with the same `purpose` reads it."""
    return _cipher(*_secrets()).encrypt(orjson.dumps([purpose, place])).decode().rstrip("=")


def unseal(token: str, purpose: str) -> Any:
    """Return the value of a token that was sealed for `purpose`, also with a key of SECRET_KEY_FALLBACKS.

    Raises `Malformed` or `Unreadable`.
    """
    padded = token + "=" * (-len(token) % 4)
    try:
        sealed_for, place = orjson.loads(_cipher(*_secrets()).decrypt(padded.encode()))
    except (InvalidToken, UnicodeError):
        if _has_form(padded):
            message = _("the continue token can no longer be read; start the list again without it")
            raise Unreadable(message) from None
        raise Malformed(_("the continue token is not valid")) from None
    if sealed_for != purpose:
        raise Malformed(_("the continue token is not valid"))
    return place


def _has_form(padded: str) -> bool:
    try:
        raw = base64.b64decode(padded, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return False
    blocks = len(raw) - _HEAD - _HMAC
    return raw[:1] == bytes([_VERSION]) and blocks >= _BLOCK and blocks % _BLOCK == 0


def _secrets() -> tuple[str, ...]:
    return (settings.SECRET_KEY, *map(str, settings.SECRET_KEY_FALLBACKS))


@lru_cache(4)
def _cipher(*secrets: str) -> MultiFernet:
    keys = (hashlib.blake2b(f"continue token\n{secret}".encode(), digest_size=32).digest() for secret in secrets)
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in keys])
