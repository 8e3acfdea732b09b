"""Pages of readings: the parameters `limit` and `continue`, and the metadata of a page, in one place."""

from typing import Any

from django.utils.translation import gettext_lazy
from rest_framework import serializers

from milo.kube.fields import CountField

AnySerializer = type[serializers.Serializer[Any]]


def paged_query(
    name: str, at_most: int, limit: Any, **parameters: serializers.Field[Any, Any, Any, Any]
) -> AnySerializer:
    """Return the serializer `name` of the query of a paged reading: `parameters`, `limit` and `continue`.

    `limit` says what a page has, at most `at_most` of it.
    """
    fields = {
        **parameters,
        "limit": CountField(required=False, min_value=1, max_value=at_most, help_text=limit),
        "continue": serializers.CharField(
            required=False,
            max_length=400,
            help_text=gettext_lazy("The metadata.continue of the previous page, for the next one."),
        ),
    }
    return _serializer(name, fields)


def page_metadata(name: str) -> AnySerializer:
    """Return the serializer `name` of the metadata of a page."""
    value = gettext_lazy("Value of the parameter continue for the next page.")
    return _serializer(name, {"continue": serializers.CharField(help_text=value)})


def metadata_of(token: str) -> dict[str, Any]:
    """Return the metadata of an answer of which another page follows; nothing for the last page."""
    return {"metadata": {"continue": token}} if token else {}


def _serializer(name: str, fields: dict[str, Any]) -> AnySerializer:
    # `continue` is a Python keyword, so the class statement cannot name the field
    return type(name, (serializers.Serializer,), fields)
