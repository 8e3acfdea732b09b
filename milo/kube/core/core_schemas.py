"""Serializers of the core group: namespaces and events."""

from typing import Any

from rest_framework import serializers

from milo.kube.illustrations import text
from milo.kube.schemas import ObjectMetaSerializer, TextField


class NamespaceStatusSerializer(serializers.Serializer[Any]):
    phase = serializers.ChoiceField(["Active"], help_text="Active.")


class ObjectReferenceSerializer(serializers.Serializer[Any]):
    """The object that an event is about."""

    apiVersion = serializers.CharField(help_text="API version of the object.")
    kind = serializers.CharField(help_text="Kind of the object.")
    namespace = serializers.CharField(required=False, help_text="Namespace of the object.")
    name = serializers.CharField(help_text="Name of the object.")
    uid = serializers.CharField(help_text="Identity of the object.")
    resourceVersion = serializers.CharField(help_text="The revision of the object after the event.")


class EventSourceSerializer(serializers.Serializer[Any]):
    """Who reports an event."""

    component = serializers.CharField(help_text="Who acted: a user, or a part of the platform.")


class EventMetaSerializer(ObjectMetaSerializer):
    """Metadata of an event."""

    name = TextField(help_text="Name of the object, a dot, and the revision in hexadecimal digits.")


class EventSerializer(serializers.Serializer[Any]):
    """A change of an object, for people. `kubectl describe` shows it."""

    apiVersion = serializers.ChoiceField(["v1"], help_text="v1.")
    kind = serializers.ChoiceField(["Event"], help_text="Event.")
    metadata = EventMetaSerializer(help_text="Metadata of the event; events of cluster-scoped objects are in default.")
    involvedObject = ObjectReferenceSerializer(help_text="The object that the event is about.")
    reason = serializers.CharField(
        help_text=text(lambda names: f"One word in CamelCase for programs, for example {names.reason}.")
    )
    message = serializers.CharField(help_text="A sentence for people.")
    type = serializers.ChoiceField(["Normal", "Warning"], help_text="Warning for bad news, by the reason; else Normal.")
    firstTimestamp = serializers.DateTimeField(help_text="When it happened (UTC).")
    lastTimestamp = serializers.DateTimeField(help_text="When it happened (UTC).")
    eventTime = serializers.DateTimeField(help_text="When it happened (UTC), to the microsecond.")
    count = serializers.IntegerField(help_text="1. Events are not aggregated.")
    action = serializers.CharField(help_text="The reason again.")
    source = EventSourceSerializer(help_text="Who acted.")  # type: ignore[assignment]
    reportingComponent = serializers.CharField(help_text="Who acted: a user, or a part of the platform.")
    reportingInstance = serializers.CharField(allow_blank=True, help_text="Empty.")
