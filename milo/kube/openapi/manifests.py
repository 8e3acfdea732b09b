"""Serializers of manifests, lists and action bodies, built from the serializers of a kind."""

from collections.abc import Callable
from functools import cache
from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from milo.kube.kinds import Action, Kind
from milo.kube.schemas import ListMetaSerializer, ObjectMetaSerializer, TextField

Serializer = type[serializers.Serializer[Any]]


def gvk(kind: str, api_version: str) -> dict[str, str]:
    """Return the value of `x-kubernetes-group-version-kind`, by which kubectl finds a schema."""
    group, _slash, version = api_version.rpartition("/")
    return {"group": group, "version": version, "kind": kind}


def _fixed(value: str, required: bool) -> Any:
    # a default although the field is required, so that generated clients fill it in
    schema = {"type": "string", "enum": [value], "default": value}
    return extend_schema_field(schema)(type("FixedField", (TextField,), {}))(required=required, help_text=f"{value}.")


def envelope(
    kind: str, api_version: str, description: str, *, typed: bool = True, **fields: Callable[[], Any]
) -> Serializer:
    """Return the serializer of an object with apiVersion, kind and `fields`, in order.

    apiVersion and kind are required if `typed`.
    """
    declared = {
        "__doc__": description,
        "apiVersion": _fixed(api_version, typed),
        "kind": _fixed(kind, typed),
        **{key: make() for key, make in fields.items()},
    }
    return known(type(f"{kind}Serializer", (serializers.Serializer,), declared), kind, api_version)


def known(serializer: Serializer, kind: str, api_version: str) -> Serializer:
    """Return `serializer`, extended so that kubectl finds its schema by group, version and kind."""
    extensions = {"x-kubernetes-group-version-kind": [gvk(kind, api_version)]}
    return extend_schema_serializer(extensions=extensions)(serializer)


def _needs(serializer: Serializer) -> bool:
    return any(field.required for field in serializer().fields.values())


@cache
def manifest(kind: Kind) -> Serializer:
    """Return the serializer of a complete object of the kind."""
    spec = kind.spec_serializer
    return envelope(
        kind.kind,
        kind.api_version,
        str(kind.description),
        metadata=lambda: ObjectMetaSerializer(help_text="Name, labels, annotations, and fields set by the server."),
        spec=lambda: spec(required=_needs(spec), help_text=f"The desired state of the {kind.kind}."),
        status=lambda: kind.status_serializer(
            read_only=True, help_text="The state as observed by the server. Ignored in requests."
        ),
    )


@cache
def listed(kind: str, api_version: str, item: Serializer) -> Serializer:
    """Return the serializer of a list of objects."""
    return envelope(
        f"{kind}List",
        api_version,
        f"A list of {kind} objects, or a page of it.",
        metadata=lambda: ListMetaSerializer(help_text="The revision of the list, and the token of the next page."),
        items=lambda: item(many=True, help_text="The objects, by name."),
    )


@cache
def body(kind: Kind, action: Action) -> Serializer:
    """Return the serializer of the body of an action."""
    spec = action.serializer(required=_needs(action.serializer), help_text="The parameters of the action.")
    name = f"{action.name.title()}{kind.kind}"
    return type(f"{name}Serializer", (serializers.Serializer,), {"__doc__": f"Body of {action.name}.", "spec": spec})


@cache
def review(view: Any) -> Serializer:
    """Return the serializer of a review. Request and response have the same schema."""
    return envelope(
        view.review,
        view.api_version,
        view.question,
        # as in Kubernetes, apiVersion and kind may be omitted
        typed=False,
        metadata=lambda: ObjectMetaSerializer(required=False, help_text="Empty. A review is not stored."),
        spec=lambda: view.spec_serializer(required=False, help_text="The question."),
        status=lambda: view.status_serializer(read_only=True, help_text="The answer."),
    )


def example(kind: Kind) -> dict[str, Any]:
    """Return the kind's example as the server answers with it."""
    stated = kind.example
    metadata = {
        **stated["metadata"],
        "uid": "0b1f6c2e-3d5a-4c8e-9f70-1a2b3c4d5e6f",
        "resourceVersion": "42",
        "generation": 1,
        "creationTimestamp": "2024-01-15T10:30:00Z",
    }
    sections = {key: stated[key] for key in ("spec", "status") if key in stated}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **sections}


def example_sent(kind: Kind, *, version: str = "") -> dict[str, Any]:
    """Return the kind's example as a client sends it. `version` is the revision that it replaces; "" on create."""
    answered = example(kind)
    metadata = {**kind.example["metadata"], **({"resourceVersion": version} if version else {})}
    return {key: value for key, value in answered.items() if key != "status"} | {"metadata": metadata}
