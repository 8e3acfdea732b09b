"""The OpenAPI documents: one of the whole API, and one per group and version. Built once per process."""

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
    """A serialized document and the SHA-256 digest of it."""

    content: bytes
    hash: str


@cache
def documents() -> Mapping[str, Document]:
    """Return the documents by path: `apis/GROUP/VERSION`, `api/v1`, `all` (everything), `swagger` (OpenAPI 2.0)."""
    with translation.override(settings.LANGUAGE_CODE):
        everything = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    schemas = {ALL: everything}
    for place in sorted({_place(path) for path in everything["paths"]}):
        schemas[place] = _part(everything, place)
    schemas[SWAGGER] = swagger.downgraded(everything)
    return {place: _document(schema) for place, schema in schemas.items()}


def _document(schema: Schema) -> Document:
    content = orjson.dumps(schema)
    return Document(content, hashlib.sha256(content).hexdigest())


def _place(path: str) -> str:
    """Return the document of a path: `apis/GROUP/VERSION`, `api/v1`, or the first segment for discovery."""
    match = re.match(r"/(apis/[^/{]+/[^/{]+|api/v1|[^/{]+)", path)
    return match[1] if match else path


def _part(everything: Schema, place: str) -> Schema:
    """Return the part of the whole document with the paths of one place and the components that they refer to."""
    paths = {path: item for path, item in everything["paths"].items() if _place(path) == place}
    components = everything["components"]
    frontier, reachable = set(_references(paths)), set[str]()
    while frontier:
        reachable |= frontier
        frontier = {
            inner
            for reference in frontier
            for section, own in [reference.removeprefix("#/components/").split("/", 1)]
            for inner in _references(components[section][own])
        } - reachable
    referenced = {
        section: {own: item for own, item in items.items() if f"#/components/{section}/{own}" in reachable}
        for section, items in components.items()
        if section != "securitySchemes"
    }
    return {
        **everything,
        "tags": [tag for tag in everything["tags"] if tag["name"] in set(_tags(paths))],
        "paths": paths,
        "components": {**referenced, "securitySchemes": components["securitySchemes"]},
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
    """Add tags, shared responses and closed schemas. Postprocessing hook of drf-spectacular."""
    result["tags"] = [{"name": kind.kind, "description": str(kind.description)} for kind in all_kinds()]
    operations = [operation for item in result["paths"].values() for operation in item.values()]
    result["components"]["responses"] = dict(_shared_refusals(operations))
    schemas: Schema = result["components"]["schemas"]
    for component in _sent(operations, schemas):
        _close(schemas[component])
    return result


def _shared_refusals(operations: list[Schema]) -> Iterator[tuple[str, Schema]]:
    """Replace the refusals of operations, which are the same everywhere, by references, and yield each by name."""
    for operation in operations:
        for code, answer in operation["responses"].items():
            if int(code) >= 400:
                own = name(int(code))
                yield own, answer
                operation["responses"][code] = {"$ref": f"#/components/responses/{own}"}


def _sent(operations: list[Schema], schemas: Schema) -> set[str]:
    """Return the names of the components that are part of a request body."""
    frontier = {reference for operation in operations for reference in _references(operation.get("requestBody", {}))}
    reachable: set[str] = set()
    while frontier:
        reachable |= frontier
        properties = [
            item
            for reference in frontier
            for item in schemas[reference.removeprefix(COMPONENT)].get("properties", {}).values()
            if not item.get("readOnly")
        ]
        frontier = set(_references(properties)) - reachable
    return {reference.removeprefix(COMPONENT) for reference in reachable}


def _close(schema: Schema) -> None:
    """Forbid unknown fields, and allow null for optional ones, where it means absent (docs/kubernetes-api.md)."""
    schema.setdefault("additionalProperties", False)
    for key, item in schema.get("properties", {}).items():
        if key not in schema.get("required", ()):
            item["nullable"] = True
            if "enum" in item:
                # OpenAPI 3.0.3: nullable alone does not add null to an enum
                item["enum"] = [*item["enum"], None]
