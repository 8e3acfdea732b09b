"""Serializer fields that accept only the JSON type they name.

DRF's own fields convert: `12` becomes "12", and "30" becomes 30.
"""

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
        # check the length first: the parent reports a cause for each faulty item
        if isinstance(data, list) and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        return super().to_internal_value(data)


class ReferenceSerializer(serializers.Serializer[Any]):
    """A reference to another object by name, within the same namespace."""

    name = StringField(max_length=253, help_text="Name of the object referred to.")


class DayField(serializers.DateField):
    """A date as YYYY-MM-DD. DRF's DateField also accepts week dates and compact dates."""

    default_error_messages = {"form": gettext_lazy("must be a day of the calendar such as 2026-01-31")}

    def to_internal_value(self, data: Any) -> date:
        try:
            return parse_day(data if isinstance(data, str) else "")
        except ValueError:
            self.fail("form")


class InstantField(serializers.DateTimeField):
    """An RFC 3339 instant with an offset. DRF's DateTimeField also accepts dates, and instants without an offset."""

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
    """A query parameter that holds several names: repeated, or separated by commas. Duplicates are dropped."""

    child = serializers.CharField()

    def to_internal_value(self, data: Any) -> list[Any]:
        names = (name.strip() for text in data for name in text.split(","))
        return super().to_internal_value(list(dict.fromkeys(name for name in names if name)))


class CountField(serializers.IntegerField):
    """An integer query parameter of at most 9 ASCII digits.

    DRF's IntegerField also accepts `1_0`, ` 5`, `5.0` and digits of other scripts.
    """

    def to_internal_value(self, data: Any) -> int:
        if not re.fullmatch("-?[0-9]+", data):
            self.fail("invalid")
        if len(data.removeprefix("-")) > 9:
            self.fail("max_string_length")
        return super().to_internal_value(data)
