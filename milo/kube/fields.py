"""Serializer fields that take exactly the JSON type they name: DRF's own turn `12` into "12" and "30" into 30."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers


class StringField(serializers.CharField):
    default_error_messages = {"type": _("must be a string")}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("type")
        return super().to_internal_value(data)


class ChoiceField(serializers.ChoiceField):
    default_error_messages = {"type": _("must be a string")}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("type")
        return super().to_internal_value(data)


class IntegerField(serializers.IntegerField):
    default_error_messages = {"type": _("must be an integer")}

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("type")
        return super().to_internal_value(data)


class BooleanField(serializers.BooleanField):
    default_error_messages = {"type": _("must be true or false")}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, bool):
            self.fail("type")
        return data


class StringListField(serializers.ListField):
    child = StringField(allow_blank=False, max_length=254)
    max_length = 50

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": 50, "allow_empty": True} | kwargs)

    def to_internal_value(self, data: Any) -> list[Any]:
        # before the items, whose faults would be listed one by one
        if isinstance(data, list) and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        return super().to_internal_value(data)


class ReferenceSerializer(serializers.Serializer[Any]):
    """A reference to another object by name, within the same namespace."""

    name = StringField(max_length=253, help_text="Name of the object referred to.")
