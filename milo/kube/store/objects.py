"""Decoding of manifests: checked against the kind and turned into an `ObjectInput` for its service."""

from dataclasses import dataclass, replace
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from milo.card_numbers import excerpt
from milo.errors import Cause, Conflict, Invalid, Refused
from milo.kube.kinds import Kind, ObjectInput
from milo.kube.metadata import Metadata
from milo.kube.names import generated_name, name_causes
from milo.kube.schemas import ObjectMetaSerializer, OwnerReferenceSerializer
from milo.kube.store.field_sets import differing, leaves
from milo.kube.store.manifests import without_empty
from milo.kube.store.validation import causes_of, fields_of, unknown_fields, validate, without_null

_ENVELOPE = frozenset({"apiVersion", "kind", "metadata", "spec", "status"})
# fields whose types are checked by the functions that read them
_READ = frozenset({"name", "namespace", "labels", "annotations"})
_FIELDS_LISTED, _FIELD_SHOWN = 20, 200


@dataclass(frozen=True, slots=True)
class DecodedManifest:
    """A decoded manifest: input for the service, the expected revision and uid, and warnings for the client."""

    body: ObjectInput
    resource_version: int | None
    uid: str
    warnings: tuple[str, ...]

    def managed_by(self, managed_fields: list[dict[str, Any]]) -> "DecodedManifest":
        """Return a copy with these managedFields."""
        body = replace(self.body, metadata=replace(self.body.metadata, managed_fields=managed_fields))
        return replace(self, body=body)


def read(
    kind: Kind,
    manifest: Any,
    *,
    namespace: str,
    organization_id: int | None,
    name: str = "",
    field_validation: str = "Strict",
) -> DecodedManifest:
    """Check a manifest against its kind and URL, and decode it.

    `name` is the name in the URL; "" on create. Raises `Refused` (BadRequest) for another kind, namespace or name, and
    for wrong types. Unknown fields are refused (`field_validation` Strict), warned about (Warn) or ignored (Ignore).
    Raises `Invalid` for renamed fields and for invalid values in the spec.
    """
    if not isinstance(manifest, dict):
        raise Refused(_("the body must be a JSON object"))
    _check_type(kind, manifest)
    metadata = _object(manifest, "metadata")
    spec = without_null(_object(manifest, "spec"))
    if old := sorted(kind.renamed.keys() & spec.keys()):
        raise Invalid.because([_renamed(name, kind.renamed[name]) for name in old])
    unknown = _unknown_fields(manifest, kind.spec_serializer)
    if unknown and field_validation == "Strict":
        raise _strict(unknown)
    warnings = _listed(unknown) if field_validation == "Warn" else []
    _check_address(kind, metadata, namespace, name)
    _check_types(metadata)
    body = ObjectInput(
        name=name or _name(metadata),
        organization_id=organization_id,
        metadata=_metadata(metadata),
        spec=validate(kind.spec_serializer, spec, "spec"),
    )
    return DecodedManifest(body, _version(metadata), _text(metadata, "uid"), tuple(warnings))


def normalized(kind: Kind, manifest: dict[str, Any], row: Any | None = None) -> dict[str, Any]:
    """Return the manifest as it would be shown after replacing `row` (None on create).

    The spec is normalized and loses unknown fields. An invalid spec is returned as sent.
    """
    spec, typed = manifest.get("spec"), {**manifest, "apiVersion": kind.api_version}
    reader = kind.spec_serializer(data=without_null(spec) if spec is not None else {})
    if not reader.is_valid():
        return typed
    return {**typed, "spec": without_empty(kind.normalized(dict(reader.validated_data), row))}


def _renamed(old: str, new: str) -> Cause:
    return Cause(f"spec.{old}", _("is called spec.%(name)s") % {"name": new}, "FieldValueForbidden")


def _unknown_fields(manifest: dict[str, Any], serializer: type[serializers.Serializer[Any]]) -> list[str]:
    # status is written by the server, so the fields in it are ignored
    _object(manifest, "status")
    return [
        *sorted(manifest.keys() - _ENVELOPE),
        *sorted(unknown_fields(fields_of(ObjectMetaSerializer), _object(manifest, "metadata"), "metadata")),
        *unknown_fields(fields_of(serializer), without_null(_object(manifest, "spec")), "spec"),
    ]


def _strict(unknown: list[str]) -> Refused:
    listed = ", ".join(_listed(unknown))
    return Refused(f"strict decoding error: {listed}", [Cause(field, _("is unknown")) for field in unknown])


def _listed(unknown: list[str]) -> list[str]:
    """Return a text for each unknown field, as kubectl prints them; at most 20, since headers are limited."""
    listed = [f'unknown field "{excerpt(field, _FIELD_SHOWN)}"' for field in unknown[:_FIELDS_LISTED]]
    more = len(unknown) - len(listed)
    return [*listed, f"{more} more unknown fields"] if more else listed


def is_typed(manifest: dict[str, Any], api_version: str, kind: str, *, optional: bool) -> bool:
    """Return whether a manifest has this apiVersion and kind. If `optional`, it may omit them."""
    expected = {"apiVersion": api_version, "kind": kind}
    absent = (None, "") if optional else ()
    return all(manifest.get(key) in (value, *absent) for key, value in expected.items())


def _check_type(kind: Kind, manifest: dict[str, Any]) -> None:
    # as in Kubernetes, only kinds of the core group may omit what the URL states
    if is_typed(manifest, kind.api_version, kind.kind, optional=not kind.group):
        return
    for key, expected in (("apiVersion", kind.api_version), ("kind", kind.kind)):
        if manifest.get(key) != expected:
            raise Refused(
                _("%(key)s must be %(expected)s here") % {"key": key, "expected": expected},
                [Cause(key, _("must be %(expected)s") % {"expected": expected})],
            )


def _check_address(kind: Kind, metadata: dict[str, Any], namespace: str, name: str) -> None:
    sent = _text(metadata, "namespace")
    if sent and sent != namespace:
        raise Refused(
            _("the namespace of the object (%(sent)s) does not match the request's (%(namespace)s)")
            % {"sent": excerpt(sent, 80), "namespace": namespace or _("none")}
        )
    if name and _text(metadata, "name") not in ("", name):
        raise Refused(
            _("the name of the object (%(sent)s) does not match the name on the URL (%(name)s)")
            % {"sent": excerpt(_text(metadata, "name"), 80), "name": name}
        )


def _check_types(metadata: dict[str, Any]) -> None:
    """Raise `Refused` if a field has another type than in `ObjectMeta`, including fields set by the server."""
    if metadata.keys() <= _READ:
        return
    reader = ObjectMetaSerializer(data=without_null(metadata))
    if not reader.is_valid():
        causes = list(causes_of(reader.errors, "metadata"))
        if all(cause.reason == "FieldValueRequired" for cause in causes):
            raise Invalid.because(causes)
        raise Refused(_("metadata has fields of the wrong type"), causes)


def _object(parent: dict[str, Any], key: str) -> dict[str, Any]:
    value = parent.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Refused(_("%(key)s must be an object") % {"key": key}, [Cause(key, _("must be an object"))])
    return value


def _text(metadata: dict[str, Any], key: str) -> str:
    value = metadata.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Refused(_("metadata.%(key)s must be a string") % {"key": key})
    return value


def _strings(metadata: dict[str, Any], key: str) -> dict[str, str]:
    pairs: dict[str, str] = without_null(_object(metadata, key))
    if not all(isinstance(value, str) for value in pairs.values()):
        raise Refused(_("the values of metadata.%(key)s must be strings") % {"key": key})
    return pairs


def _metadata(metadata: dict[str, Any]) -> Metadata:
    known = list(map(str, fields_of(OwnerReferenceSerializer).fields))
    references = [
        {name: reference[name] for name in known if reference.get(name) is not None}
        for reference in metadata.get("ownerReferences") or []
    ]
    finalizers = list(metadata.get("finalizers") or [])
    return Metadata(_strings(metadata, "labels"), _strings(metadata, "annotations"), finalizers, references)


def _version(metadata: dict[str, Any]) -> int | None:
    sent = _text(metadata, "resourceVersion")
    return int(sent) if sent else None


def _name(metadata: dict[str, Any]) -> str:
    if name := _text(metadata, "name"):
        return name
    if metadata.get("name") is None and (stem := _text(metadata, "generateName")):
        return generated_name(stem)
    raise Invalid.because([Cause.required("metadata.name", _("name or generateName is required"))])


def name_of(manifest: Any) -> str:
    """Return the name in a manifest, for the details of a refusal; "" if there is none."""
    metadata = manifest.get("metadata") if isinstance(manifest, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name[:253] if isinstance(name, str) else ""


def refuse_other_spec(kind: Kind, row: Any, spec: dict[str, Any], message: str) -> None:
    """Raise `Invalid` with a cause for each field of a validated spec that differs from the immutable spec of `row`."""
    stored: dict[str, Any] = {"spec": without_empty(kind.spec(row))}
    sent: dict[str, Any] = {"spec": without_empty(kind.normalized(dict(spec), row))}
    if different := differing({*leaves(stored), *leaves(sent)}, stored, sent):
        raise Invalid.because([Cause(".".join(path), message) for path in sorted(different)])


def read_spec(serializer: type[serializers.Serializer[Any]], manifest: Any) -> dict[str, Any]:
    """Return the validated `spec` of an action's body, `{"spec": {...}}`. An empty object has an empty spec.

    Raises `Refused` (BadRequest) for unknown fields and wrong types, `Invalid` for invalid values.
    """
    if not isinstance(manifest, dict):
        raise Refused(_("the body must be a JSON object"))
    spec, metadata = without_null(_object(manifest, "spec")), _object(manifest, "metadata")
    unknown = _unknown_fields(manifest, serializer)
    if unknown:
        raise _strict(unknown)
    _check_types(metadata)
    # metadata of an action is not stored, so nothing else would validate it
    causes = _metadata(metadata).causes()
    if metadata.get("name") is not None:
        causes += name_causes(metadata["name"])
    if causes:
        raise Invalid.because(causes)
    return validate(serializer, spec, "spec")


def expect_uid(row: Any, uid: str) -> None:
    """Raise `Conflict` if `uid` is not empty and not that of `row`: the client means another object of this name."""
    if uid and uid != str(row.uid):
        raise Conflict(_("the uid in the request does not match the object's"))


def missing_version() -> Invalid:
    """Return the refusal of a PUT that names no revision."""
    message = _("must be specified for an update, or If-Match sent")
    return Invalid.because([Cause.required("metadata.resourceVersion", message)])
