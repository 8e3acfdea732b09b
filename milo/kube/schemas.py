"""Serializers shared by all kinds, for OpenAPI, `kubectl explain` and the validation of bodies."""

from typing import Any

from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from milo.kube.fields import BooleanField, IntegerField
from milo.kube.names import DNS_LABEL, PART
from milo.kube.wire.parameters import MAX_DIGITS

NAME = {"type": "string", "pattern": f"^{DNS_LABEL.pattern}$", "maxLength": 63}


@extend_schema_field({"type": "string"})
class TextField(serializers.Field[str, Any, str, Any]):
    """Any text. Only the type is checked here. The service checks the format and reports all causes at once."""

    default_error_messages = {"type": gettext_lazy("must be a string")}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("type")
        return data

    def to_representation(self, value: str) -> str:
        return value


@extend_schema_field(NAME)
class NameField(TextField):
    """A DNS-1123 label."""


@extend_schema_field({"type": "string", "pattern": f"^({PART.pattern})?$", "maxLength": 63})
class LabelValueField(TextField):
    """The value of a label."""


@extend_schema_field({"type": "string", "pattern": "^[0-9]{0,18}$"})
class VersionField(TextField):
    """A resourceVersion. "" means none."""

    default_error_messages = {
        "number": gettext_lazy("must be a number in a string"),
        "large": gettext_lazy("is too large: at most {digits} digits"),
    }

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if text and not (text.isascii() and text.isdigit()):
            self.fail("number")
        if len(text) > MAX_DIGITS:
            self.fail("large", digits=MAX_DIGITS)
        return text


class ConditionSerializer(serializers.Serializer[Any]):
    """A metav1.Condition."""

    type = serializers.CharField(help_text="What the condition is about, for example Ready.")
    status = serializers.ChoiceField(["True", "False", "Unknown"], help_text="True, False or Unknown.")
    observedGeneration = serializers.IntegerField(
        required=False, help_text="The metadata.generation that the condition was computed from."
    )
    lastTransitionTime = serializers.DateTimeField(help_text="When the status last changed (UTC).")
    reason = serializers.CharField(help_text="One word in CamelCase for programs.")
    message = serializers.CharField(allow_blank=True, help_text="A sentence for people.")


class NothingSerializer(serializers.Serializer[Any]):
    """An object without fields, for actions that take none."""


class PatchSerializer(serializers.Serializer[Any]):
    """Fields to change (JSON merge patch, RFC 7386): null removes a field, a list is replaced as a whole."""


class OwnerReferenceSerializer(serializers.Serializer[Any]):
    """An object that this one depends on, in this API or another (metav1.OwnerReference)."""

    apiVersion = TextField(help_text="API group and version of the owner.")
    kind = TextField(help_text="Kind of the owner.")
    name = TextField(help_text="Name of the owner.")
    uid = TextField(help_text="Identity of the owner.")
    controller = BooleanField(required=False, help_text="Whether the owner is the controller of the object.")
    blockOwnerDeletion = BooleanField(
        required=False, help_text="Whether deletion of the owner waits for this object. Kept; nothing is deleted."
    )


class ObjectMetaSerializer(serializers.Serializer[Any]):
    """Metadata of an object. Clients write the name, labels and annotations; the server sets the rest."""

    name: TextField = NameField(
        required=False,
        help_text="DNS-1123 label: lower case letters, digits and '-', at most 63. Unique in the namespace; fixed.",
    )
    generateName = TextField(required=False, help_text="Prefix of the name, to which the server adds a random suffix.")
    namespace = TextField(required=False, help_text="Name of the owning organization; absent where the kind has none.")
    labels = serializers.DictField(
        child=LabelValueField(allow_null=True),
        required=False,
        help_text="Keys and values to select objects by.",
    )
    annotations = serializers.DictField(
        child=TextField(allow_null=True),
        required=False,
        help_text="Notes of people and programs; at most 256 KiB in total.",
    )
    uid = TextField(
        required=False, help_text="Identity of the object. In a write it must be that of the stored object (else 409)."
    )
    resourceVersion = VersionField(
        required=False, help_text="Revision of the object. In a write it must be the newest one (else 409)."
    )
    generation = IntegerField(required=False, help_text="How often spec has changed. Set by the server.")
    creationTimestamp = serializers.DateTimeField(
        required=False, help_text="When the object was created (UTC). Set by the server."
    )
    managedFields = serializers.ListField(
        child=serializers.DictField(), required=False, help_text="Who manages which field. Set by the server."
    )
    deletionTimestamp = serializers.DateTimeField(required=False, help_text="Not kept: nothing is deleted.")
    deletionGracePeriodSeconds = IntegerField(required=False, help_text="Not kept: nothing is deleted.")
    finalizers = serializers.ListField(
        child=TextField(),
        required=False,
        help_text="Programs to be run before the object is deleted. Kept, but nothing is deleted.",
    )
    ownerReferences = OwnerReferenceSerializer(
        many=True, required=False, help_text="Objects that this one depends on. Kept, but nothing is deleted."
    )
    selfLink = TextField(required=False, help_text="Not kept.")


class ListMetaSerializer(serializers.Serializer[Any]):
    """Metadata of a list."""

    resourceVersion = serializers.CharField(help_text="The revision of the list. Start a watch from here.")

    def get_fields(self) -> dict[str, Any]:
        # `continue` is a keyword of Python, so it cannot be an attribute
        token = serializers.CharField(required=False, help_text="Token of the next page; absent on the last page.")
        return {**super().get_fields(), "continue": token}


class StatusCauseSerializer(serializers.Serializer[Any]):
    """One cause of a refusal."""

    reason = serializers.CharField(help_text="FieldValueInvalid, FieldValueRequired, FieldValueNotFound and so on.")
    message = serializers.CharField(allow_blank=True, help_text="A sentence for people.")
    field = serializers.CharField(
        required=False, allow_blank=True, help_text="Path of the field, for example spec.currencyCode."
    )


class StatusDetailsSerializer(serializers.Serializer[Any]):
    """The object that was refused, and the causes."""

    name = serializers.CharField(required=False, help_text="Name of the object.")
    group = serializers.CharField(required=False, help_text="API group of the object.")
    kind = serializers.CharField(required=False, help_text="Kind of the object.")
    uid = serializers.CharField(required=False, help_text="Identity of the object.")
    causes = StatusCauseSerializer(many=True, required=False, help_text="Every cause of the refusal, by field.")


class StatusSerializer(serializers.Serializer[Any]):
    """Why a request was refused. Nothing has changed."""

    apiVersion = serializers.ChoiceField(["v1"], help_text="v1.")
    kind = serializers.ChoiceField(["Status"], help_text="Status.")
    metadata = serializers.DictField(help_text="Empty.")
    status = serializers.ChoiceField(["Failure", "Success"], help_text="Failure.")
    message = serializers.CharField(allow_blank=True, help_text="A sentence for people.")
    reason = serializers.CharField(help_text="One word for programs: NotFound, Conflict, Invalid and so on.")
    details = StatusDetailsSerializer(required=False, help_text="The object and the causes, if known.")
    code = serializers.IntegerField(help_text="The HTTP status code.")
