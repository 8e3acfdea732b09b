"""The header Idempotency-Key, by which a client can repeat a POST without repeating its effect.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/ (revision 07) has a string in double quotes.
Most clients send the key without quotes, as other APIs expect; both forms are the same key.
"""

import re
from collections.abc import Mapping

from django.utils.translation import gettext as _

from milo.errors import Cause, Conflict, Invalid, Refused

HEADER, REPLAYED = "Idempotency-Key", "Idempotency-Replayed"
MAX_LENGTH = 255
# sf-string: https://www.rfc-editor.org/rfc/rfc9651#name-strings
_QUOTED = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
# without a comma, by which two headers are joined
_BARE = re.compile(r"[\x21\x23-\x2b\x2d-\x5b\x5d-\x7e]+")


class InProgress(Conflict):
    """The first request with this key is still being processed."""

    retry_after_seconds = 1

    def __init__(self) -> None:
        super().__init__(_("the request of this Idempotency-Key is still being processed; please try again"))


def idempotency_key(headers: Mapping[str, str]) -> str:
    """Return the key of a request, empty where it has none.

    Raises `Refused` (BadRequest) for a key that is empty, longer than 255 characters or not of printable ASCII, and for
    more than one.
    """
    sent = headers.get(HEADER)
    if sent is None:
        return ""
    text = sent.strip(" \t")
    if quoted := _QUOTED.fullmatch(text):
        key = re.sub(r"\\(.)", r"\1", quoted[1])
    else:
        key = text if _BARE.fullmatch(text) else ""
    if not 0 < len(key) <= MAX_LENGTH:
        message = _("must be one key of 1 to %(limit)d printable ASCII characters, such as a UUID")
        raise Refused(
            _("the header %(header)s is malformed") % {"header": HEADER},
            [Cause(HEADER, message % {"limit": MAX_LENGTH})],
        )
    return key


def reused() -> Invalid:
    """Return the refusal of a key that was sent to the same address with other content."""
    message = _("was sent with another body or query to this address; a key names one request, so use a new one")
    return Invalid.because([Cause(HEADER, message)], _("the Idempotency-Key is already used"))
