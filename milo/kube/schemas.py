"""Shapes that every kind shares, for documents and `kubectl explain`."""

from typing import Any

from rest_framework import serializers


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
    """The spec of an act that needs none."""
