"""Decode protobuf bodies of five kinds to JSON manifests.

Clients send these kinds as protobuf whatever the server advertises. The rest of the API accepts no protobuf:
https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding
The field numbers come from the `generated.proto` files of k8s.io/api and k8s.io/apimachinery. Fields that are not
listed here are set by servers only, and are skipped.
"""

from typing import Any

from django.utils.translation import gettext as _

from milo.card_numbers import excerpt
from milo.errors import Refused
from milo.kube.wire.status import UnsupportedMediaType

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_TEXT, _RAW, _MAP, _TEXTS = "text", "raw", "map", "texts"
Shape = dict[int, tuple[str, Any]]
_ENVELOPE: Shape = {
    1: ("typeMeta", {1: ("apiVersion", _TEXT), 2: ("kind", _TEXT)}),
    2: ("raw", _RAW),
    3: ("contentEncoding", _TEXT),
    4: ("contentType", _TEXT),
}
_METADATA: Shape = {1: ("name", _TEXT), 2: ("generateName", _TEXT), 3: ("namespace", _TEXT), 5: ("uid", _TEXT)}
_METADATA |= {6: ("resourceVersion", _TEXT), 11: ("labels", _MAP), 12: ("annotations", _MAP)}
_RESOURCE = ("namespace", "verb", "group", "version", "resource", "subresource", "name")
_ACCESS: Shape = {
    1: ("resourceAttributes", {number: (name, _TEXT) for number, name in enumerate(_RESOURCE, 1)}),
    2: ("nonResourceAttributes", {1: ("path", _TEXT), 2: ("verb", _TEXT)}),
}
_SPECS: dict[tuple[str, str], Shape] = {
    ("authentication.k8s.io/v1", "SelfSubjectReview"): {},
    ("authentication.k8s.io/v1", "TokenReview"): {2: ("spec", {1: ("token", _TEXT), 2: ("audiences", _TEXTS)})},
    ("authorization.k8s.io/v1", "SelfSubjectAccessReview"): {2: ("spec", _ACCESS)},
    ("authorization.k8s.io/v1", "SelfSubjectRulesReview"): {2: ("spec", {1: ("namespace", _TEXT)})},
    ("v1", "Namespace"): {},
}


def parse(raw: bytes) -> dict[str, Any]:
    """Return the manifest of a protobuf body, without empty fields.

    Raises `Refused` (BadRequest) for a malformed body and `UnsupportedMediaType` for another kind or encoding.
    """
    if not raw.startswith(_MAGIC):
        raise _malformed()
    envelope = _message(raw[len(_MAGIC) :], _ENVELOPE)
    type_meta = envelope.get("typeMeta", {})
    api_version, kind = type_meta.get("apiVersion", ""), type_meta.get("kind", "")
    spec = _SPECS.get((api_version, kind))
    if spec is None or "contentEncoding" in envelope or envelope.get("contentType", MEDIA_TYPE) != MEDIA_TYPE:
        message = _("%(kind)s is not understood as protobuf; use application/json")
        raise UnsupportedMediaType(message % {"kind": excerpt(f"{api_version} {kind}", 80)})
    content = _message(envelope.get("raw", b""), {1: ("metadata", _METADATA), **spec})
    return {"apiVersion": api_version, "kind": kind, **content}


def _malformed() -> Refused:
    return Refused(_("the body is not valid protobuf"))


def _message(raw: bytes, shape: Shape) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    position = 0
    while position < len(raw):
        tag, position = _varint(raw, position)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == 0:
            _skipped, position = _varint(raw, position)
            continue
        if wire_type == 2:
            length, position = _varint(raw, position)
        elif wire_type in (1, 5):
            length = 8 if wire_type == 1 else 4
        else:
            raise _malformed()
        content, position = raw[position : position + length], position + length
        if position > len(raw) or not number:
            raise _malformed()
        if wire_type == 2 and number in shape:
            _put(fields, *shape[number], content)
    return fields


def _put(fields: dict[str, Any], name: str, shape: Any, content: bytes) -> None:
    if shape == _RAW:
        fields[name] = content
    elif shape == _TEXT:
        if text := _text(content):
            fields[name] = text
    elif shape == _TEXTS:
        fields.setdefault(name, []).append(_text(content))
    elif shape == _MAP:
        entry = _message(content, {1: ("key", _TEXT), 2: ("value", _TEXT)})
        fields.setdefault(name, {})[entry.get("key", "")] = entry.get("value", "")
    else:
        fields.setdefault(name, {}).update(_message(content, shape))


def _text(content: bytes) -> str:
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise _malformed() from error
    if "\0" in text:
        raise Refused(_("the body holds a NUL character"))
    return text


def _varint(raw: bytes, position: int) -> tuple[int, int]:
    """Return the varint at `position` and the position after it. Raises `Refused` beyond ten bytes."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(raw):
            raise _malformed()
        byte = raw[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise _malformed()
