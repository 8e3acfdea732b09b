"""The payment profile in manifests: an object with exactly one field, the payment method.

Serializers of the methods are generated from the data of `billing.payment_profile`. The service
(`billing.payment_profile.profiles`) validates types and formats and names every cause at once.
"""

from collections.abc import Iterator
from typing import Any

from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.utils.serializer_helpers import BindingDict

from billing.api.payment_help import help_of
from billing.compliance.payment_methods import PaymentMethod
from billing.payment_profile.payment_fields import FIELDS, REFERENCE_LENGTH
from billing.payment_profile.profiles import methods

_TYPES = {str: "string", int: "integer", bool: "boolean"}


class DetailField(serializers.Field[Any, Any, Any, Any]):
    """A detail of a payment method, passed through unchanged: the service validates it."""

    def to_internal_value(self, data: Any) -> Any:
        return data

    def to_representation(self, value: Any) -> Any:
        return value


def _schema(name: str) -> dict[str, Any]:
    field = FIELDS[name]
    schema: dict[str, Any] = {"type": _TYPES[field.type]}
    if field.type is str:
        schema["maxLength"] = REFERENCE_LENGTH
    return schema | ({"format": field.format} if field.format == "date" else {})


_DETAILS = {
    name: extend_schema_field(_schema(name))(type(f"{name[0].upper()}{name[1:]}Field", (DetailField,), {}))
    for name in FIELDS
}


class MethodSerializer(serializers.Serializer[Any]):
    """The references of a payment method; never a card number, a verification code or an account number."""

    required_names: tuple[str, ...] = ()


def _method_serializer(method: PaymentMethod) -> type[MethodSerializer]:
    required = [group for group in method.required if len(group) == 1]
    declared: dict[str, Any] = {"required_names": tuple(name for (name,) in required)}
    for group in method.required:
        for name in group:
            declared[name] = _DETAILS[name](required=False, help_text=_help(name, group))
    for name in method.optional:
        declared[name] = _DETAILS[name](required=False, help_text=str(help_of(name)))
    return type(f"{method.member[0].upper()}{method.member[1:]}Serializer", (MethodSerializer,), declared)


def _help(name: str, group: tuple[str, ...]) -> str:
    others = " or ".join(other for other in group if other != name)
    return f"{help_of(name)} {_('Required, or %(others)s.') % {'others': others} if others else _('Required.')}"


def _description(method: PaymentMethod) -> str:
    countries = ", ".join(sorted(method.countries)) if method.countries is not None else _("any country")
    if method.domestic_currency:
        currencies = _("the currency of the payer's country")
    else:
        currencies = ", ".join(sorted(method.currencies)) if method.currencies is not None else _("any currency")
    words = method.name.replace("_", " ")
    return _("Payment by %(method)s. Payers in: %(countries)s. Currency: %(currencies)s.") % {
        "method": words,
        "countries": countries,
        "currencies": currencies,
    }


_METHODS = {member: (_method_serializer(method), _description(method)) for member, method in methods().items()}


class _Methods(BindingDict):
    """The methods as fields, each created on first access: there are about 60, and a profile uses one."""

    def __contains__(self, member: object) -> bool:
        return member in _METHODS

    def __getitem__(self, member: str) -> Any:
        if member not in self.fields:
            serializer, description = _METHODS[member]
            self[member] = serializer(required=False, help_text=description)
        return super().__getitem__(member)

    def __iter__(self) -> Iterator[Any]:
        return iter(_METHODS)

    def __len__(self) -> int:
        return len(_METHODS)


class PaymentProfileSerializer(serializers.Serializer[Any]):
    """How the account pays: exactly one payment method, named by its field."""

    @cached_property
    def fields(self) -> Any:
        return _Methods(self)

    def to_internal_value(self, data: Any) -> Any:
        """Validate only the methods in `data`: the base class would create the fields of all methods."""
        if not isinstance(data, dict):
            return super().to_internal_value(data)
        profile, faults = {}, {}
        for member in (member for member in data if member in self.fields):
            try:
                profile[member] = self.fields[member].run_validation(data[member])
            except serializers.ValidationError as fault:
                faults[member] = fault.detail
        if faults:
            raise serializers.ValidationError(faults)
        return profile

    def run_validators(self, value: Any) -> None:
        """Skip: there are no validators, and the base class would create every method to look for defaults."""


def _shape(target: Any, auto_schema: Any, direction: Any) -> dict[str, Any]:
    """Return the schema that drf-spectacular derives without an extension."""
    schema: dict[str, Any] = auto_schema._map_serializer(target, direction, bypass_extensions=True)
    return schema


class MethodShape(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Mark the required fields of a method. For DRF they are optional: the service names all missing ones at once."""

    target_class = MethodSerializer
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: Any) -> dict[str, Any]:
        schema = _shape(self.target, auto_schema, direction)
        names = list(self.target.required_names)
        return {**schema, "required": names} if names else schema


class ProfileShape(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Require exactly one method."""

    target_class = PaymentProfileSerializer

    def map_serializer(self, auto_schema: AutoSchema, direction: Any) -> dict[str, Any]:
        schema = _shape(self.target, auto_schema, direction)
        return {**schema, "minProperties": 1, "maxProperties": 1}
