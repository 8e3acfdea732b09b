"""Serializer fields for decimals, written as strings because JSON numbers lose digits."""

import re
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

AMOUNT = re.compile(r"[0-9]{1,20}(\.[0-9]{1,4})?")
PERCENT = re.compile(r"[0-9]{1,3}(\.[0-9]{1,4})?")


@extend_schema_field({"type": "string", "pattern": f"^{AMOUNT.pattern}$"})
class AmountField(serializers.Field[Decimal, Any, str, Any]):
    """An amount of money: at most 20 digits before the decimal point, 4 after it; the currency is another field."""

    form = AMOUNT
    default_error_messages = {
        "form": gettext_lazy("must be a decimal in a string: at most 20 digits, and 4 after the point")
    }

    def to_internal_value(self, data: Any) -> Decimal:
        if not isinstance(data, str) or not self.form.fullmatch(data):
            self.fail("form")
        return Decimal(data)

    def to_representation(self, value: Any) -> str:
        return str(value)


@extend_schema_field({"type": "string", "pattern": f"^{PERCENT.pattern}$"})
class PercentField(AmountField):
    """A percentage: `"2.5"` is 2.5%."""

    form = PERCENT
    default_error_messages = {
        "form": gettext_lazy('must be a decimal in a string, as "2.5", with at most 4 decimal places')
    }
