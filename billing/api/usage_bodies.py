"""Bodies of the usage intake: CloudEvents in JSON, one or a batch, plain or compressed.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md, sections 3.2 and 3.3.
"""

import zlib
from typing import Any

import orjson
from django.utils.translation import gettext as _

from milo.errors import Refused
from milo.kube.wire.decoding import media_type
from milo.kube.wire.status import RequestEntityTooLarge, UnsupportedMediaType

ONE, BATCH, JSON = "application/cloudevents+json", "application/cloudevents-batch+json", "application/json"
MAX_BYTES, MAX_EVENTS = 10 * 1024 * 1024, 10_000
# 16 selects the gzip format, and no other, with the largest window
_GZIP = 16 + zlib.MAX_WBITS


def read(stream: Any, content_type: str, encoding: str) -> tuple[list[Any], bool, bytes]:
    """Return the events of a body, as JSON values, whether it is a batch, and the decompressed body.

    `application/json` is a batch if it is a list. Raises `UnsupportedMediaType` for other types,
    `RequestEntityTooLarge` for more than 10 MiB (before or after decompression) and for more than 10,000 events,
    `Refused` (BadRequest) for malformed JSON or gzip.
    """
    kind = media_type(content_type)
    if kind not in (ONE, BATCH, JSON):
        message = _("the body of type %(type)s is not understood; use %(known)s")
        raise UnsupportedMediaType(message % {"type": kind, "known": BATCH})
    raw = stream.read(MAX_BYTES + 1)
    if encoding.strip().lower() == "gzip":
        raw = _decompressed(raw)
    if len(raw) > MAX_BYTES:
        raise RequestEntityTooLarge(_("the body may hold at most %(limit)d bytes") % {"limit": MAX_BYTES})
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Refused(_("the body is not valid JSON: %(why)s") % {"why": error}) from error
    batch = isinstance(value, list) and kind != ONE
    if kind == BATCH and not batch:
        raise Refused(_("a batch is a JSON list of events"))
    if not batch:
        return [value], False, raw
    if len(value) > MAX_EVENTS:
        raise RequestEntityTooLarge(_("a batch may hold at most %(limit)d events") % {"limit": MAX_EVENTS})
    return value, True, raw


def _decompressed(raw: bytes) -> bytes:
    """Decompress gzip, at most to one byte over the limit, so that a decompression bomb never fills the memory."""
    unpacking = zlib.decompressobj(_GZIP)
    try:
        unpacked = unpacking.decompress(raw, MAX_BYTES + 1)
    except zlib.error as error:
        raise Refused(_("the body is not valid gzip")) from error
    if len(unpacked) <= MAX_BYTES and (not unpacking.eof or unpacking.unused_data):
        raise Refused(_("the body is not valid gzip"))
    return unpacked
