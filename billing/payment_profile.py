"""The payment profile: exactly one payment method, as references to what a payment provider keeps."""

from typing import Any

from django.utils.translation import gettext as _

from milo.errors import Cause

FIELD = "spec.paymentProfile"
METHODS: dict[str, tuple[str, ...]] = {"creditCard": ("cardReference",)}
REFERENCE_LENGTH = 200


def method_of(profile: dict[str, Any] | None) -> str:
    """The name of the profile's method (`creditCard`); empty where there is none."""
    return next(iter(profile), "") if profile else ""


def causes(profile: dict[str, Any] | None) -> list[Cause]:
    """Every fault of a profile that is given: not exactly one known method, a reference missing or too long."""
    if profile is None:
        return []
    if len(profile) != 1:
        return [Cause(FIELD, _("must name exactly one payment method"))]
    method = method_of(profile)
    if method not in METHODS:
        known = ", ".join(sorted(METHODS))
        message = _("%(method)s is not a payment method; known: %(known)s") % {"method": method[:40], "known": known}
        return [Cause(FIELD, message, "FieldValueNotSupported")]
    details = profile[method]
    if not isinstance(details, dict):
        return [Cause(f"{FIELD}.{method}", _("must be an object"))]
    found = [
        Cause(f"{FIELD}.{method}.{key}", _("is unknown"), "FieldValueNotSupported")
        for key in details
        if key not in METHODS[method]
    ]
    for key in METHODS[method]:
        value, path = details.get(key), f"{FIELD}.{method}.{key}"
        if not isinstance(value, str) or not value.strip():
            found.append(Cause.required(path))
        elif len(value) > REFERENCE_LENGTH:
            found.append(Cause(path, _("is too long"), "FieldValueTooLong"))
    return found
