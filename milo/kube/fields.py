"""Serializer fields that take exactly the JSON type they name: DRF's own turn `12` into "12" and "30" into 30."""

import re
from datetime import date, datetime
from typing import Any

from django.utils.translation import gettext_lazy
from rest_framework import serializers

from milo.dates import parse_day, parse_instant


class StringField(serializers.CharField):
    default_error_messages = {"type": gettext_lazy("must be a string")}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("type")
        return super().to_internal_value(data)


class ChoiceField(serializers.ChoiceField):
    default_error_messages = {"type": gettext_lazy("must be a string")}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("type")
        return super().to_internal_value(data)


class IntegerField(serializers.IntegerField):
    default_error_messages = {"type": gettext_lazy("must be an integer")}

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("type")
        return super().to_internal_value(data)


class BooleanField(serializers.BooleanField):
    default_error_messages = {"type": gettext_lazy("must be true or false")}

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


class DayField(serializers.DateField):
    """A day in its one form: DRF's own takes week dates and compact ones too."""

    default_error_messages = {"form": gettext_lazy("must be a day of the calendar such as 2026-01-31")}

    def to_internal_value(self, data: Any) -> date:
        try:
            return parse_day(data if isinstance(data, str) else "")
        except ValueError:
            self.fail("form")


class InstantField(serializers.DateTimeField):
    """An instant with its offset: DRF's own takes one without, and days."""

    default_error_messages = {
        "form": gettext_lazy(
            "must be an instant with its offset such as 2026-01-31T12:00:00Z (in an address, + is written %2B)"
        )
    }

    def to_internal_value(self, data: Any) -> datetime:
        try:
            return parse_instant(data if isinstance(data, str) else "")
        except ValueError:
            self.fail("form")


class NamesField(serializers.ListField):
    """A query parameter of names, repeated or separated by commas."""

    child = serializers.CharField()

    def to_internal_value(self, data: Any) -> list[Any]:
        names = (name.strip() for text in data for name in text.split(","))
        return super().to_internal_value(list(dict.fromkeys(name for name in names if name)))


class CountField(serializers.IntegerField):
    """A whole number as a query parameter: DRF's own takes `1_0`, ` 5`, `5.0` and digits of other scripts."""

    def to_internal_value(self, data: Any) -> int:
        if not re.fullmatch("-?[0-9]{1,9}", data):
            self.fail("invalid")
        return super().to_internal_value(data)
