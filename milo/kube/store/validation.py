"""Validation of parts of manifests by their serializers."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from rest_framework import serializers

from milo.errors import Cause, Invalid


def validate(serializer: type[serializers.Serializer[Any]], value: Any, path: str) -> dict[str, Any]:
    """Return the `validated_data` of `value`. Raises `Invalid` with a cause per field error, below `path`."""
    reader = serializer(data=value)
    if not reader.is_valid():
        raise Invalid.because(causes_of(reader.errors, path))
    return dict(reader.validated_data)


def causes_of(errors: Any, path: str) -> Iterator[Cause]:
    """Yield a cause for each error of a serializer, by its path below `path`."""
    if isinstance(errors, dict):
        for key, inner in errors.items():
            where = path if key == "non_field_errors" else f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}"
            yield from causes_of(inner, where)
        return
    for error in errors if isinstance(errors, list) else [errors]:
        if isinstance(error, dict):
            yield from causes_of(error, path)
        elif getattr(error, "code", "") == "required":
            yield Cause.required(path)
        else:
            code = "FieldValueNotSupported" if getattr(error, "code", "") == "invalid_choice" else "FieldValueInvalid"
            yield Cause(path, str(error), code)


@cache
def fields_of(serializer: type[serializers.Serializer[Any]]) -> serializers.Serializer[Any]:
    """Return a serializer for its field names only. Cached, because building the fields is slow."""
    return serializer()


def unknown_fields(field: serializers.Field[Any, Any, Any, Any] | None, value: Any, path: str) -> Iterator[str]:
    """Yield the paths in `value` that `field` does not define. Wrong types are left to the serializer."""
    if isinstance(field, serializers.ListSerializer | serializers.ListField) and isinstance(value, list):
        for index, item in enumerate(value):
            yield from unknown_fields(field.child, item, f"{path}[{index}]")
    elif isinstance(field, serializers.Serializer) and isinstance(value, dict):
        for key, item in value.items():
            if key in field.fields:
                yield from unknown_fields(field.fields[key], item, f"{path}.{key}")
            else:
                yield f"{path}.{key}"


def without_null(value: Any) -> Any:
    """Return the value without null fields: null means absent."""
    if isinstance(value, dict):
        return {key: without_null(item) for key, item in value.items() if item is not None}
    return [without_null(item) for item in value] if isinstance(value, list) else value
