"""`/openapi/v2`: the whole API in OpenAPI 2.0."""

from collections.abc import Iterator
from typing import Any

import pytest
from drf_spectacular.openapi import AutoSchema  # noqa: F401  the documents are made with it

from milo.kube.kinds import all_kinds
from milo.kube.openapi.swagger import META
from tests.api.client import Api

PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
# https://spec.openapis.org/oas/v2.0.html#schema-object, what kubectl looks for, and what is ours
SCHEMA_KEYS = {
    "$ref", "type", "format", "title", "description", "default", "enum", "items", "properties", "required",
    "additionalProperties", "allOf", "readOnly", "pattern", "minimum", "maximum", "minLength", "maxLength",
    "minItems", "maxItems", "minProperties", "maxProperties", "example", "x-kubernetes-group-version-kind",
}  # fmt: skip
OPERATION_KEYS = {
    "operationId", "summary", "description", "tags", "security", "parameters", "consumes", "produces", "responses",
    "x-kubernetes-action", "x-kubernetes-group-version-kind",
}  # fmt: skip


@pytest.fixture
def document(db: None) -> dict[str, Any]:
    return Api().get("/openapi/v2").done()


def schemas(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every schema of the document, including nested ones."""
    waiting = list(document["definitions"].values())
    for item in document["paths"].values():
        for operation in item.values():
            waiting += [each["schema"] for each in operation["parameters"] if each["in"] == "body"]
            waiting += [each["schema"] for each in operation["responses"].values() if "schema" in each]
    waiting += [each["schema"] for each in document["responses"].values()]
    while waiting:
        schema = waiting.pop()
        yield schema
        waiting += schema.get("properties", {}).values()
        waiting += [schema[key] for key in ("items", "additionalProperties") if isinstance(schema.get(key), dict)]
        waiting += schema.get("allOf", [])


def test_it_says_what_2_0_knows_and_nothing_else(document: dict[str, Any]) -> None:
    assert document["swagger"] == "2.0"
    for schema in schemas(document):
        assert schema.keys() <= SCHEMA_KEYS, schema
        assert schema.get("type") in (None, "string", "integer", "number", "boolean", "array", "object", "file")
        assert ("items" in schema) == (schema.get("type") == "array"), schema
    for item in document["paths"].values():
        for operation in item.values():
            assert operation.keys() <= OPERATION_KEYS
            for parameter in operation["parameters"]:
                assert ("schema" in parameter) == (parameter["in"] == "body")
                assert ("type" in parameter) != (parameter["in"] == "body")
            assert sum(parameter["in"] == "body" for parameter in operation["parameters"]) <= 1


def test_whatever_is_referred_to_is_there(document: dict[str, Any]) -> None:
    wanted = {schema["$ref"] for schema in schemas(document) if "$ref" in schema}
    assert wanted
    assert wanted <= {f"#/definitions/{name}" for name in document["definitions"]}
    answers = [a for item in document["paths"].values() for it in item.values() for a in it["responses"].values()]
    assert {a["$ref"] for a in answers if "$ref" in a} <= {f"#/responses/{name}" for name in document["responses"]}


def test_it_describes_the_same_paths_as_version_3(document: dict[str, Any]) -> None:
    newer = Api().get("/openapi/v3/all").done()
    assert document["paths"].keys() == newer["paths"].keys()
    for path, item in newer["paths"].items():
        for method, operation in item.items():
            older = document["paths"][path][method]
            assert older["operationId"] == operation["operationId"]
            assert older["responses"].keys() == operation["responses"].keys()
            sent = {parameter["name"] for parameter in operation.get("parameters", ())}
            assert {each["name"] for each in older["parameters"] if each["in"] != "body"} == sent


def test_terraform_finds_each_kind_with_all_its_fields(document: dict[str, Any]) -> None:
    by_kind = {
        (gvk["group"], gvk["version"], gvk["kind"]): name
        for name, schema in document["definitions"].items()
        for gvk in schema.get("x-kubernetes-group-version-kind", ())
    }
    for kind in all_kinds():
        schema = document["definitions"][by_kind[kind.group, kind.version, kind.kind]]
        assert schema["type"] == "object"
        assert schema["properties"].keys() == {"apiVersion", "kind", "metadata", "spec", "status"}
        patch = next(
            item["patch"]
            for item in document["paths"].values()
            if item.get("patch", {}).get("x-kubernetes-group-version-kind", {}).get("kind") == kind.kind
        )
        assert "fieldValidation" in {parameter["name"] for parameter in patch["parameters"]}
    assert "name" in document["definitions"][f"{META}ObjectMeta"]["properties"]


def test_its_protobuf_form_is_not_acceptable(db: None) -> None:
    for accept in (PROTOBUF, PROTOBUF.replace("@", "."), "text/html"):
        Api().get("/openapi/v2", accept=accept).refused(406, "NotAcceptable")
    assert Api().get("/openapi/v2", accept=f"{PROTOBUF}, */*").headers["Content-Type"] == "application/json"
    assert Api().get("/openapi/v3/swagger").code == 404
    assert "swagger" not in Api().get("/openapi/v3").done()["paths"]


def test_it_is_large_and_so_compressed_and_not_sent_twice(db: None) -> None:
    first = Api().get("/openapi/v2", accept_encoding="gzip")
    assert first.headers["Content-Encoding"] == "gzip"
    tag = first.headers["ETag"]
    assert Api().get("/openapi/v2", accept_encoding="gzip", if_none_match=tag).code == 304
