"""Conversion of the document to OpenAPI 2.0 (Swagger), for clients that support no later version.

https://spec.openapis.org/oas/v2.0.html
"""

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]
META = "io.k8s.apimachinery.pkg.apis.meta.v1."
RENAMED = {name: f"{META}{name}" for name in ("ObjectMeta", "ListMeta", "Status")}
"""Clients look up these schemas by their Kubernetes names."""
_SCHEMAS, _RESPONSES = "#/components/schemas/", "#/components/responses/"
_IN_PARAMETER = (
    "type",
    "format",
    "enum",
    "default",
    "items",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
)
_ABSENT = ("nullable", "writeOnly", "deprecated", "oneOf", "anyOf", "not", "examples", "x-spec-enum-id")


def downgraded(document: Mapping[str, Any]) -> Schema:
    """Return an OpenAPI 3.0 document as OpenAPI 2.0.

    Features that 2.0 lacks are omitted: alternatives (`oneOf`, `anyOf`), nullable fields and examples of bodies.
    """
    components = document["components"]
    return {
        "swagger": "2.0",
        "info": document["info"],
        "paths": {
            path: {method: _operation(operation) for method, operation in item.items()}
            for path, item in document["paths"].items()
        },
        "definitions": {_renamed(name): _schema(schema) for name, schema in components["schemas"].items()},
        "responses": {name: _response(response) for name, response in components["responses"].items()},
        "securityDefinitions": {"bearer": {"type": "apiKey", "name": "Authorization", "in": "header"}},
        "tags": document["tags"],
    }


def _renamed(name: str) -> str:
    return RENAMED.get(name, name)


def _schema(value: Any) -> Any:
    """Convert a schema or a part of one."""
    if isinstance(value, list):
        return [_schema(item) for item in value]
    if not isinstance(value, dict):
        return value
    reference = value.get("$ref")
    if isinstance(reference, str):
        return {"$ref": f"#/definitions/{_renamed(reference.removeprefix(_SCHEMAS))}"}
    known = {key: item for key, item in value.items() if key not in _ABSENT}
    if "enum" in known and isinstance(known["enum"], list):
        known["enum"] = [item for item in known["enum"] if item is not None]
    if isinstance(known.get("properties"), dict):
        # keys of `properties` are field names, which may equal keywords such as `not`
        properties = {name: _schema(field) for name, field in known["properties"].items()}
        return {key: _schema(item) for key, item in known.items() if key != "properties"} | {"properties": properties}
    return {key: _schema(item) for key, item in known.items()}


def _operation(operation: Schema) -> Schema:
    copied = ("operationId", "summary", "description", "tags", "security")
    result = {key: item for key, item in operation.items() if key in copied or key.startswith("x-")}
    parameters = [_parameter(parameter) for parameter in operation.get("parameters", ())]
    if body := operation.get("requestBody"):
        result["consumes"] = list(body["content"])
        schema = _schema(next(iter(body["content"].values()))["schema"])
        parameters.append({"name": "body", "in": "body", "required": True, "schema": schema})
    result["parameters"] = parameters
    result["produces"] = sorted(
        {kind for response in operation["responses"].values() for kind in response.get("content", ())}
    ) or ["application/json"]
    result["responses"] = {code: _response(response) for code, response in operation["responses"].items()}
    return result


def _parameter(parameter: Schema) -> Schema:
    schema = _schema(parameter.get("schema", {"type": "string"}))
    common = {key: parameter[key] for key in ("name", "in", "description", "required") if key in parameter}
    return common | {"type": "string"} | {key: schema[key] for key in _IN_PARAMETER if key in schema}


def _response(response: Schema) -> Schema:
    reference = response.get("$ref")
    if isinstance(reference, str):
        return {"$ref": f"#/responses/{reference.removeprefix(_RESPONSES)}"}
    result: Schema = {"description": response.get("description", "")}
    content: Schema = next(iter(response.get("content", {}).values()), {})
    if schema := content.get("schema"):
        # `file` is the type of binary responses in 2.0
        binary = schema.get("format") == "binary"
        result["schema"] = {"type": "file"} if binary else _schema(schema)
    return result
