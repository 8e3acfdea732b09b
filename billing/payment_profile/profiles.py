"""The payment profile: exactly one payment method, with references to data of a payment provider or a bank.

It is an object with one field, the method: `{"creditCard": {"cardReference": "cc-12345"}}`. The methods are the rows of
`data/payment_methods.csv`.
"""

import calendar
import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from functools import cache
from types import MappingProxyType
from typing import Any

from django.utils.translation import gettext as _

from billing.compliance.dataset import data
from billing.compliance.findings import Finding, Severity
from billing.compliance.payment_methods import PaymentMethod
from billing.payment_profile.payment_fields import FIELDS, REFERENCE_LENGTH, secret_in
from milo import texts
from milo.errors import Cause

__all__ = ["FIELD", "FIELDS", "REFERENCE_LENGTH", "causes", "expires_on", "expiring", "method_of", "methods"]

FIELD = "spec.paymentProfile"
EXPIRY_NOTICE = timedelta(days=30)
# the day of the bank may be a day ahead of UTC
_AHEAD = timedelta(days=1)
_SIGNED = ("mandateSignedDate", "authorizationDate")
# shorter than REFERENCE_LENGTH and of fewer characters: Bacs 18; SEPA 35 of its own set (EPC217-08)
_SEPA_MANDATE = re.compile(r"[A-Za-z0-9/?:().,'+ -]{1,35}")
_MANDATES = {"bacsDebit": re.compile(r".{1,18}"), "sepaDebitCore": _SEPA_MANDATE, "sepaDebitB2b": _SEPA_MANDATE}
# EPC implementation guidelines: of references, identifications and identifiers in ISO 20022 messages
_SLASHES = re.compile(r"[/ ].*|.*[/ ]|.*//.*")
_ISO_20022 = frozenset({"sepaDebitCore", "sepaDebitB2b"})


@cache
def methods() -> Mapping[str, PaymentMethod]:
    """Return the newest row of every method, by its field in the profile."""
    return MappingProxyType({member: rows[-1] for member, rows in sorted(data().methods.items())})


def method_of(profile: Mapping[str, Any] | None) -> str:
    """Return the method of the profile, such as `creditCard`; empty if there is none."""
    return next(iter(profile), "") if profile else ""


def causes(profile: dict[str, Any] | None, on: date | None = None) -> list[Cause]:
    """Return every fault of a profile: not exactly one known method, or a field that is missing, unknown or malformed.

    With a day `on`, an expired card or mandate, and one signed after that day, are faults too. No message repeats a
    value. No profile at all is no fault.
    """
    if profile is None:
        return []
    if len(profile) != 1:
        return [Cause(FIELD, _("must name exactly one payment method"))]
    member = method_of(profile)
    if member not in methods():
        message = _("must be a payment method; known: %(known)s") % {"known": ", ".join(methods())}
        return [Cause(FIELD, message, "FieldValueNotSupported")]
    details, path = profile[member], f"{FIELD}.{member}"
    if not isinstance(details, dict):
        return [Cause(path, _("must be an object"))]
    method = methods()[member]
    causes = [*_unknown(method, details, path), *_missing(method, details, path), *_faults(method, details, path)]
    if not causes and on is not None:
        causes += _faults_of_the_day(profile, path, on)
    return causes


def _faults_of_the_day(profile: Mapping[str, Any], path: str, on: date) -> Iterator[Cause]:
    """Yield what is wrong with a well-formed profile on the day `on`: expired, or signed later than that."""
    details = profile[method_of(profile)]
    for name in _SIGNED:
        if _is_given(details.get(name)) and date.fromisoformat(details[name]) > on + _AHEAD:
            yield Cause(f"{path}.{name}", _("must not be in the future"))
    if (end := expires_on(profile)) and end < on:
        yield Cause(path, _("has expired on %(day)s; give another one") % {"day": end.isoformat()})


def _unknown(method: PaymentMethod, details: dict[str, Any], path: str) -> Iterator[Cause]:
    for key in details:
        if key.lower() in method.forbidden:
            message = _("is never accepted; give a token reference of the payment provider instead")
            yield Cause(f"{path}.{key}", message, "FieldValueNotSupported")
        elif key not in method.fields:
            yield Cause(_of_unknown(key, path), _("is unknown"), "FieldValueNotSupported")


def _of_unknown(key: str, path: str) -> str:
    # the name of an unknown field may hold a secret that was sent in place of a name
    return path if len(key) > 40 or not key.isidentifier() or secret_in(key) else f"{path}.{key}"


def _is_given(value: Any) -> bool:
    return value is not None and (not isinstance(value, str) or bool(value.strip()))


def _missing(method: PaymentMethod, details: dict[str, Any], path: str) -> Iterator[Cause]:
    for first, *others in method.required:
        if not any(_is_given(details.get(name)) for name in (first, *others)):
            message = _("is required, or %(others)s") % {"others": ", ".join(others)} if others else ""
            yield Cause.required(f"{path}.{first}", message)


def _faults(method: PaymentMethod, details: dict[str, Any], path: str) -> Iterator[Cause]:
    for key, value in details.items():
        if key not in method.fields or not _is_given(value):
            continue
        where = f"{path}.{key}"
        yield from texts.causes(value, where)
        if fault := FIELDS[key].fault(value):
            yield Cause(where, fault)
        elif key == "mandateReference" and method.member in _MANDATES and not _MANDATES[method.member].fullmatch(value):
            yield Cause(where, _("is too long, or has a character that the scheme does not know"))
        elif key == "mandateReference" and method.member in _ISO_20022 and _SLASHES.fullmatch(value):
            yield Cause(where, _("must not begin or end with a slash or a blank, nor hold two slashes in a row"))
        elif key == "bankCountry" and method.countries is not None and value not in method.countries:
            yield Cause(where, _("is outside the scheme"), "FieldValueNotSupported")
    if (details.get("expMonth") is None) != (details.get("expYear") is None):
        yield Cause(path, _("must name both expMonth and expYear, or neither"))


def expires_on(profile: Mapping[str, Any]) -> date | None:
    """Return the last day on which a well-formed profile can be used, None if it names none."""
    details = profile[method_of(profile)]
    if "expYear" in details:
        year, month = details["expYear"], details["expMonth"]
        return date(year, month, calendar.monthrange(year, month)[1])
    return date.fromisoformat(details["mandateValidUntil"]) if "mandateValidUntil" in details else None


def expiring(profile: Mapping[str, Any], on: date) -> Finding | None:
    """Return a Warning if a well-formed profile is valid on the day `on`, and expires within 30 days of it."""
    end = expires_on(profile)
    if end is None or not on <= end <= on + EXPIRY_NOTICE:
        return None
    message = _("expires on %(day)s; give another one before") % {"day": end.isoformat()}
    return Finding(Severity.WARNING, f"{FIELD}.{method_of(profile)}", message, "profile.expiring")
