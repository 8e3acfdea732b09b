"""Whole manifests, lists and bodies of acts as serializers, made of what a kind is registered with."""

from collections.abc import Callable
from functools import cache
from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from milo.kube.kinds import Action, Kind
from milo.kube.schemas import ListMetaSerializer, ObjectMetaSerializer, TextField

Serializer = type[serializers.Serializer[Any]]


def gvk(kind: str, api_version: str) -> dict[str, str]:
    """Group, version and kind, as kubectl looks for them in the document."""
    group, _slash, version = api_version.rpartition("/")
    return {"group": group, "version": version, "kind": kind}


def _fixed(value: str, required: bool) -> Any:
    # a default although it is required, so that generated clients fill it in
    schema = {"type": "string", "enum": [value], "default": value}
    return extend_schema_field(schema)(type("FixedField", (TextField,), {}))(required=required, help_text=f"{value}.")


def envelope(
    kind: str, api_version: str, description: str, *, typed: bool = True, **fields: Callable[[], Any]
) -> Serializer:
    """Return the serializer of an object with apiVersion, kind (left out where not `typed`) and `fields`, in order."""
    declared = {
        "__doc__": description,
        "apiVersion": _fixed(api_version, typed),
        "kind": _fixed(kind, typed),
        **{key: make() for key, make in fields.items()},
    }
    return known(type(f"{kind}Serializer", (serializers.Serializer,), declared), kind, api_version)


def known(serializer: Serializer, kind: str, api_version: str) -> Serializer:
    """`serializer`, whose component kubectl finds by group, version and kind."""
    extensions = {"x-kubernetes-group-version-kind": [gvk(kind, api_version)]}
    return extend_schema_serializer(extensions=extensions)(serializer)


def _needs(serializer: Serializer) -> bool:
    return any(field.required for field in serializer().fields.values())


@cache
def manifest(kind: Kind) -> Serializer:
    """A whole object of the kind."""
    spec = kind.spec_serializer
    return envelope(
        kind.kind,
        kind.api_version,
        str(kind.description),
        metadata=lambda: ObjectMetaSerializer(
            help_text="Name, labels, annotations, and what the server notes of the object."
        ),
        spec=lambda: spec(required=_needs(spec), help_text=f"What the {kind.kind} shall be."),
        status=lambda: kind.status_serializer(
            read_only=True, help_text="What the server has found; ignored in what is sent."
        ),
    )


@cache
def listed(kind: str, api_version: str, item: Serializer) -> Serializer:
    """A list of objects."""
    return envelope(
        f"{kind}List",
        api_version,
        f"A list of {kind} objects, or a page of one.",
        metadata=lambda: ListMetaSerializer(help_text="The revision of the list, and where the next page begins."),
        items=lambda: item(many=True, help_text="The objects, by name."),
    )


@cache
def body(kind: Kind, act: Action) -> Serializer:
    """The body of an act."""
    spec = act.serializer(required=_needs(act.serializer), help_text="How the act is to be done.")
    name = f"{act.name.title()}{kind.kind}"
    return type(f"{name}Serializer", (serializers.Serializer,), {"__doc__": f"Body of {act.name}.", "spec": spec})


@cache
def review(view: Any) -> Serializer:
    """A review: question and answer in one."""
    return envelope(
        view.review,
        view.api_version,
        view.question,
        # the address says them: kinds of core may leave both out
        typed=False,
        metadata=lambda: ObjectMetaSerializer(required=False, help_text="Empty: a review is stored nowhere."),
        spec=lambda: view.spec_serializer(required=False, help_text="The question."),
        status=lambda: view.status_serializer(read_only=True, help_text="The answer."),
    )


def example(kind: Kind) -> dict[str, Any]:
    """The kind's example as the server answers it."""
    given = kind.example
    metadata = {
        **given["metadata"],
        "uid": "0b1f6c2e-3d5a-4c8e-9f70-1a2b3c4d5e6f",
        "resourceVersion": "42",
        "generation": 1,
        "creationTimestamp": "2024-01-15T10:30:00Z",
    }
    sections = {key: given[key] for key in ("spec", "status") if key in given}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **sections}


def example_sent(kind: Kind, *, version: str = "") -> dict[str, Any]:
    """The kind's example as a user writes it; with `version`, to replace that revision."""
    shown = example(kind)
    metadata = {**kind.example["metadata"], **({"resourceVersion": version} if version else {})}
    return {key: value for key, value in shown.items() if key != "status"} | {"metadata": metadata}
