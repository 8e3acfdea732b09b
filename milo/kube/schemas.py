"""Shapes that every kind shares, for documents, `kubectl explain` and the check of what is sent."""

from typing import Any

from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from milo.kube.fields import BooleanField, IntegerField
from milo.kube.names import DNS_LABEL, PART

NAME = {"type": "string", "pattern": f"^{DNS_LABEL.pattern}$", "maxLength": 63}


@extend_schema_field({"type": "string"})
class TextField(serializers.Field[str, Any, str, Any]):
    """Any text. Its type is checked here; its form by the service, which names every cause at once."""

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
    """A resourceVersion; empty is none."""

    default_error_messages = {"number": gettext_lazy("must be a number in a string")}

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if text and not (text.isascii() and text.isdigit() and len(text) <= 18):
            self.fail("number")
        return text


class ConditionSerializer(serializers.Serializer[Any]):
    """A metav1.Condition."""

    type = serializers.CharField(help_text="What the condition is about, for example Ready.")
    status = serializers.ChoiceField(["True", "False", "Unknown"], help_text="True, False or Unknown.")
    observedGeneration = serializers.IntegerField(
        required=False, help_text="The metadata.generation that the condition was made from."
    )
    lastTransitionTime = serializers.DateTimeField(help_text="When the status last changed (UTC).")
    reason = serializers.CharField(help_text="One word in CamelCase for programs.")
    message = serializers.CharField(allow_blank=True, help_text="A sentence for people.")


class NothingSerializer(serializers.Serializer[Any]):
    """An object without fields: an act that needs none."""


class PatchSerializer(serializers.Serializer[Any]):
    """What shall differ (JSON merge patch, RFC 7386): a field that is null is removed, a list is replaced whole."""


class OwnerReferenceSerializer(serializers.Serializer[Any]):
    """An object, here or elsewhere, that another depends on (metav1.OwnerReference)."""

    apiVersion = TextField(help_text="API group and version of the owner.")
    kind = TextField(help_text="Kind of the owner.")
    name = TextField(help_text="Name of the owner.")
    uid = TextField(help_text="Identity of the owner.")
    controller = BooleanField(required=False, help_text="Whether the owner is the controller of the object.")
    blockOwnerDeletion = BooleanField(required=False, help_text="Whether the owner shall wait for the object.")


class ObjectMetaSerializer(serializers.Serializer[Any]):
    """Metadata of an object. Users write the name, labels and annotations; the rest is the server's."""

    name: TextField = NameField(
        required=False,
        help_text="DNS-1123 label: lower case letters, digits and '-', at most 63. Unique in the namespace; fixed.",
    )
    generateName = TextField(required=False, help_text="Beginning of the name, where the server shall choose the rest.")
    namespace = TextField(required=False, help_text="Name of the owning organization; absent where the kind has none.")
    labels = serializers.DictField(
        child=LabelValueField(allow_null=True),
        required=False,
        help_text="Names and values to select objects by.",
    )
    annotations = serializers.DictField(
        child=TextField(allow_null=True),
        required=False,
        help_text="Notes of people and programs; at most 256 KiB together.",
    )
    uid = TextField(required=False, help_text="Identity of the object; sent, it must be the stored object's.")
    resourceVersion = VersionField(
        required=False, help_text="Revision of the object. Sent, the write is refused (409) unless it is the newest."
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
        help_text="Programs that want to act before the object is deleted; kept for them, though nothing is deleted.",
    )
    ownerReferences = OwnerReferenceSerializer(
        many=True, required=False, help_text="Objects that this one depends on; kept, though nothing is deleted."
    )
    selfLink = TextField(required=False, help_text="Not kept.")


class ListMetaSerializer(serializers.Serializer[Any]):
    """Metadata of a list."""

    resourceVersion = serializers.CharField(help_text="The revision at which the list began; watch from here on.")

    def get_fields(self) -> dict[str, Any]:
        # `continue` is a word of Python
        token = serializers.CharField(required=False, help_text="Token for the next page; absent on the last.")
        return {**super().get_fields(), "continue": token}


class StatusCauseSerializer(serializers.Serializer[Any]):
    """One reason of a refusal."""

    reason = serializers.CharField(help_text="FieldValueInvalid, FieldValueRequired, FieldValueNotFound and the like.")
    message = serializers.CharField(allow_blank=True, help_text="A sentence for people.")
    field = serializers.CharField(allow_blank=True, help_text="Path of the field, for example spec.currencyCode.")


class StatusDetailsSerializer(serializers.Serializer[Any]):
    """What the refusal is about."""

    name = serializers.CharField(required=False, help_text="Name of the object.")
    group = serializers.CharField(required=False, help_text="API group of the object.")
    kind = serializers.CharField(required=False, help_text="Kind of the object.")
    uid = serializers.CharField(required=False, help_text="Identity of the object.")
    causes = StatusCauseSerializer(many=True, required=False, help_text="Every reason of the refusal, by field.")


class StatusSerializer(serializers.Serializer[Any]):
    """Why a request was refused; nothing has changed."""

    apiVersion = serializers.ChoiceField(["v1"], help_text="v1.")
    kind = serializers.ChoiceField(["Status"], help_text="Status.")
    metadata = serializers.DictField(help_text="Empty.")
    status = serializers.ChoiceField(["Failure", "Success"], help_text="Failure.")
    message = serializers.CharField(allow_blank=True, help_text="A sentence for people.")
    reason = serializers.CharField(help_text="One word for programs: NotFound, Conflict, Invalid and the like.")
    details = StatusDetailsSerializer(required=False, help_text="What the refusal is about, where it is known.")
    code = serializers.IntegerField(help_text="The HTTP status code.")
