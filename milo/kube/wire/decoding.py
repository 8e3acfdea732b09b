"""Strict parsing of request bodies: JSON, and the subset of YAML with JSON's values."""

import json
import re
from collections.abc import Collection
from typing import Any

import orjson
import yaml
from django.utils.translation import gettext as _

from milo.card_numbers import excerpt
from milo.errors import Refused
from milo.kube.wire.status import UnsupportedContentCoding, UnsupportedMediaType

MAX_DEPTH = 32
YAML_TYPES = ("application/yaml", "application/x-yaml", "text/yaml")
# the byte order mark too: such a body is refused as JSON, not taken for YAML
_JSON_BEGINS = ("{", "[", '"', "\ufeff")
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,30})(\.\d{1,30})?([eE][-+]?\d{1,3})?", re.ASCII)
_CONSTANTS: dict[str, Any] = {"null": None, "~": None, "": None, "true": True, "false": False}


def media_type(content_type: str) -> str:
    """Return the media type without its parameters. No type means JSON."""
    return content_type.partition(";")[0].strip().lower() or "application/json"


def check_encoding(encoding: str, known: Collection[str] = ()) -> None:
    """Raise `UnsupportedContentCoding` for a Content-Encoding that is neither `identity` nor in `known`."""
    if encoding.strip().lower() not in ("", "identity", *known):
        raise UnsupportedContentCoding(encoding, ("identity", *known))


def parse(raw: bytes, content_type: str) -> Any:
    """Parse a JSON or YAML body.

    A body of type `application/json` that does not begin like JSON is parsed as YAML, because `kubectl create --raw`
    sends every file as JSON. kubectl detects JSON in the same way.

    Raises `Refused` (BadRequest) for a body that is not UTF-8, is malformed, is nested deeper than 32, or contains a
    duplicate key, a NUL character, or a YAML alias, anchor or tag. Raises `UnsupportedMediaType` for other types.
    """
    kind = media_type(content_type)
    if kind in YAML_TYPES or kind.endswith("+yaml"):
        read = _yaml
    elif kind == "application/json" or kind.endswith("+json"):
        read = _json
    else:
        raise UnsupportedMediaType(
            _("the body of type %(type)s is not understood; use application/json") % {"type": kind}
        )
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(_("the body is not valid UTF-8")) from error
    if "\x00" in text:
        raise Refused(_("the body holds a NUL character"))
    if kind == "application/json" and text.strip() and not text.lstrip().startswith(_JSON_BEGINS):
        read = _yaml
    value = read(text)
    check_bounds(value)
    return value


def _json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError as error:
        raise Refused(_("the body is nested too deeply")) from error
    except ValueError as error:
        raise Refused(_("the body is not valid JSON: %(why)s") % {"why": error}) from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique: dict[str, Any] = {}
    for key, value in pairs:
        if key in unique:
            raise Refused(_('strict decoding error: duplicate field "%(key)s"') % {"key": excerpt(key, 80)})
        unique[key] = value
    return unique


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def check_bounds(value: Any) -> None:
    """Raise `Refused` for a value that cannot be stored: nested deeper than 32, lone surrogate, NUL, over 64 bits."""
    level = [value]
    for _depth in range(MAX_DEPTH + 1):
        level = [
            item
            for parent in level
            if isinstance(parent, dict | list)
            for item in (parent.values() if isinstance(parent, dict) else parent)
        ]
    if level:
        raise Refused(_("the body is nested too deeply"))
    try:
        encoded = orjson.dumps(value)
    except (TypeError, orjson.JSONEncodeError) as error:
        raise Refused(_("the body holds a value that JSON cannot: %(why)s") % {"why": error}) from error
    if b"\\u0000" in encoded and "\x00" in "".join(_strings(value)):
        raise Refused(_("the body holds a NUL character"))


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in (key, *_strings(item))]
    return [text for item in value for text in _strings(item)] if isinstance(value, list) else []


def _scalar(event: yaml.ScalarEvent) -> Any:
    """Return the value of a scalar by JSON's rules: `NO` stays a country and `12:30:00` a text (docs/traps.md)."""
    if not event.implicit[0]:
        return event.value
    if event.value in _CONSTANTS:
        return _CONSTANTS[event.value]
    return json.loads(event.value) if _NUMBER.fullmatch(event.value) else event.value


class _Tree:
    """Build a value from YAML events without recursion."""

    def __init__(self) -> None:
        self.root: list[Any] = []
        self.open: list[Any] = [self.root]
        self.keys: list[Any] = [None]

    def put(self, value: Any, *, opens: bool = False) -> None:
        parent, key = self.open[-1], self.keys[-1]
        if isinstance(parent, list):
            parent.append(value)
        elif key is None:
            if not isinstance(value, str | int | float | bool):
                raise Refused(_("the keys of the YAML body must be strings"))
            name = value if isinstance(value, str) else json.dumps(value)
            if name in parent:
                raise Refused(_('strict decoding error: duplicate field "%(key)s"') % {"key": excerpt(name, 80)})
            self.keys[-1] = name
            return
        else:
            parent[key] = value
            self.keys[-1] = None
        if opens:
            if len(self.open) > MAX_DEPTH:
                raise Refused(_("the body is nested too deeply"))
            self.open.append(value)
            self.keys.append(None)

    def close(self) -> None:
        self.open.pop()
        self.keys.pop()


def _yaml(text: str) -> Any:
    tree, documents = _Tree(), 0
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            _refuse_aliases_and_tags(event)
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
            elif isinstance(event, yaml.ScalarEvent):
                tree.put(_scalar(event))
            elif isinstance(event, yaml.MappingStartEvent):
                tree.put({}, opens=True)
            elif isinstance(event, yaml.SequenceStartEvent):
                tree.put([], opens=True)
            elif isinstance(event, yaml.CollectionEndEvent):
                tree.close()
    except yaml.YAMLError as error:
        raise Refused(_("the body is not valid YAML: %(why)s") % {"why": error}) from error
    if documents != 1:
        raise Refused(_("the body must hold exactly one YAML document"))
    return tree.root[0]


def _refuse_aliases_and_tags(event: yaml.Event) -> None:
    """Refuse aliases, with which a few lines expand without bound, and tags, which JSON lacks."""
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        raise Refused(_("the YAML body may not use anchors or aliases"))
    if getattr(event, "tag", None) not in (None, "!"):
        raise Refused(_("the YAML body may not use tags"))
