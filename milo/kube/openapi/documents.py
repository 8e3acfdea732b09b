"""The documents: one of everything, and one for each group and version. They are made once, for they never change."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
from django.conf import settings
from django.utils import translation
from drf_spectacular.generators import SchemaGenerator

from milo.kube.kinds import all_kinds
from milo.kube.openapi import swagger
from milo.kube.openapi.refusals import name

Schema = dict[str, Any]
COMPONENT = "#/components/schemas/"
ALL, SWAGGER = "all", "swagger"


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it is sent, and a hash of it."""

    content: bytes
    hash: str


@cache
def documents() -> Mapping[str, Document]:
    """Documents by the path of their group and version, `apis/GROUP/VERSION`.

    That of everything is `all`, and `swagger` in OpenAPI 2.0.
    """
    with translation.override(settings.LANGUAGE_CODE):
        everything = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    found = {ALL: everything}
    for place in sorted({_place(path) for path in everything["paths"]}):
        found[place] = _part(everything, place)
    found[SWAGGER] = swagger.downgraded(everything)
    return {place: _document(schema) for place, schema in found.items()}


def _document(schema: Schema) -> Document:
    content = orjson.dumps(schema)
    return Document(content, hashlib.sha256(content).hexdigest())


def _place(path: str) -> str:
    """Which document a path belongs to: `apis/GROUP/VERSION` or `api/v1`; discovery stands at its own root."""
    found = re.match(r"/(apis/[^/{]+/[^/{]+|api/v1|[^/{]+)", path)
    return found[1] if found else path


def _part(everything: Schema, place: str) -> Schema:
    paths = {path: item for path, item in everything["paths"].items() if _place(path) == place}
    components = everything["components"]
    wanted, found = set(_references(paths)), set[str]()
    while wanted:
        found |= wanted
        wanted = {
            inner
            for reference in wanted
            for section, own in [reference.removeprefix("#/components/").split("/", 1)]
            for inner in _references(components[section][own])
        } - found
    kept = {
        section: {own: item for own, item in items.items() if f"#/components/{section}/{own}" in found}
        for section, items in components.items()
        if section != "securitySchemes"
    }
    return {
        **everything,
        "tags": [tag for tag in everything["tags"] if tag["name"] in set(_tags(paths))],
        "paths": paths,
        "components": {**kept, "securitySchemes": components["securitySchemes"]},
    }


def _tags(paths: Schema) -> Iterator[str]:
    return (tag for item in paths.values() for operation in item.values() for tag in operation["tags"])


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(reference := value.get("$ref"), str):
            yield reference
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def finish(result: Schema, generator: Any, request: Any, public: bool) -> Schema:
    """drf-spectacular's postprocessing hook: what it cannot say of itself."""
    result["tags"] = [{"name": kind.kind, "description": str(kind.description)} for kind in all_kinds()]
    operations = [operation for item in result["paths"].values() for operation in item.values()]
    result["components"]["responses"] = dict(_shared_refusals(operations))
    schemas: Schema = result["components"]["schemas"]
    for component in _sent(operations, schemas):
        _close(schemas[component])
    return result


def _shared_refusals(operations: list[Schema]) -> Iterator[tuple[str, Schema]]:
    """Moves the refusals, which are the same everywhere, out of the operations."""
    for operation in operations:
        for code, answer in operation["responses"].items():
            if int(code) >= 400:
                own = name(int(code))
                yield own, answer
                operation["responses"][code] = {"$ref": f"#/components/responses/{own}"}


def _sent(operations: list[Schema], schemas: Schema) -> set[str]:
    """Components that are part of a request body."""
    wanted = {reference for operation in operations for reference in _references(operation.get("requestBody", {}))}
    found: set[str] = set()
    while wanted:
        found |= wanted
        properties = [
            item
            for reference in wanted
            for item in schemas[reference.removeprefix(COMPONENT)].get("properties", {}).values()
            if not item.get("readOnly")
        ]
        wanted = set(_references(properties)) - found
    return {reference.removeprefix(COMPONENT) for reference in found}


def _close(schema: Schema) -> None:
    """Refuse unknown fields, and take null for a field that is left out (docs/kubernetes-api.md, "Shapes")."""
    schema.setdefault("additionalProperties", False)
    for key, item in schema.get("properties", {}).items():
        if key not in schema.get("required", ()):
            item["nullable"] = True
            if "enum" in item:
                # by OpenAPI 3.0.3, nullable adds nothing to an enum
                item["enum"] = [*item["enum"], None]
