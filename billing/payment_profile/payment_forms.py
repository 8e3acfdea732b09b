"""Forms of the values of payment methods: each returns what is wrong with a value, or the empty text."""

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal, InvalidOperation
from types import ModuleType
from typing import Any

from django.utils.translation import gettext as _
from stdnum import bic as iso9362
from stdnum import iso11649, luhn
from stdnum.br import cnpj, cpf
from stdnum.ch import esr

from billing.compliance.jurisdictions import COUNTRIES

Form = Callable[[Any], str]


def anything(value: Any) -> str:
    """Accept any value."""
    return ""


def matching(pattern: str, message: Callable[[], str]) -> Form:
    """Return the form of values that match `pattern` whole, in ASCII.

    `message` is a function, so that it is translated into the language of the reader.
    """
    return lambda value: "" if re.fullmatch(pattern, value, re.ASCII) else message()


def digits(least: int, most: int) -> Form:
    """Return the form of values of `least` to `most` ASCII digits."""
    if least == most:
        return matching(rf"[0-9]{{{least}}}", lambda: _("must be %(count)d digits") % {"count": least})
    return matching(
        rf"[0-9]{{{least},{most}}}", lambda: _("must be %(least)d to %(most)d digits") % {"least": least, "most": most}
    )


def valid(form: Form) -> Callable[[str], bool]:
    """Return the test whether a value has the form, check digits included."""
    return lambda value: not form(value)


def is_boleto(value: str) -> bool:
    """Return whether a value is the barcode of a boleto (44 digits) or its typeable line (47, for taxes 48)."""
    return bool(re.fullmatch(r"[0-9. -]+", value)) and sum(map(str.isdecimal, value)) in (44, 47, 48)


def one_of(*known: str) -> Form:
    """Return the form of values that are one of `known`."""
    return lambda value: "" if value in known else _("must be one of %(known)s") % {"known": ", ".join(known)}


def between(least: int, most: int) -> Form:
    """Return the form of numbers from `least` up to and including `most`."""
    message = {"least": least, "most": most}
    return lambda value: "" if least <= value <= most else _("must be between %(least)d and %(most)d") % message


def token(value: str) -> str:
    """Refuse a card verification value, which is never a token reference."""
    # three or four digits, as printed on a card
    return _("is no token reference") if re.fullmatch(r"\s*[0-9]{3,4}\s*", value) else ""


def account_token(value: str) -> str:
    """Refuse a plain account number, which is never a token reference."""
    return _("is an account number and no token reference") if re.fullmatch(r"[0-9 ./-]+", value) else ""


def vpa_token(value: str) -> str:
    """Refuse a virtual payment address (UPI), such as name@bank, which one can pay from."""
    return _("is an address to pay from and no token reference") if "@" in value else ""


def _holds(module: ModuleType, value: str) -> bool:
    """Return whether a module of python-stdnum accepts a value; ASCII only, as it accepts digits of other scripts."""
    return value.isascii() and bool(module.is_valid(value))


def remittance(value: str) -> str:
    """Accept free text; a creditor reference (RF...) must have valid check digits by ISO 11649."""
    creditor_reference = re.match(r"RF[0-9]{2}", value, re.IGNORECASE)
    return _("has wrong check digits (ISO 11649)") if creditor_reference and not _holds(iso11649, value) else ""


def qr_reference(value: str) -> str:
    """Accept a Swiss QR reference (27 digits, the last a check digit) or a creditor reference (ISO 11649)."""
    compact = value.replace(" ", "")
    is_esr = re.fullmatch(r"[0-9]{27}", compact) and esr.is_valid(compact)
    wrong = _("must be 27 digits with a check digit, or a creditor reference (ISO 11649)")
    return "" if is_esr or _holds(iso11649, compact) else wrong


def kid(value: str) -> str:
    """Accept a Norwegian KID: 2 to 25 digits, the last a check digit by modulus 10 or modulus 11."""
    if not re.fullmatch(r"[0-9]{1,24}[0-9-]", value):
        return _("must be 2 to 25 digits")
    return "" if luhn.is_valid(value) or _modulus_11(value) else _("has a wrong check digit")


def _modulus_11(value: str) -> bool:
    """Return whether a KID has a valid modulus 11 check digit: weights 2 to 7 from the right; 10 is a dash."""
    weighted = sum(int(digit) * (2 + place % 6) for place, digit in enumerate(reversed(value[:-1])))
    return value[-1] == "0123456789-"[-weighted % 11]


def clabe(value: str) -> str:
    """Accept a Mexican CLABE: 18 digits, the last a check digit with weights 3, 7 and 1."""
    if not re.fullmatch(r"[0-9]{18}", value):
        return _("must be 18 digits")
    weighted = sum(int(digit) * weight % 10 for digit, weight in zip(value, (3, 7, 1) * 6, strict=True))
    return "" if weighted % 10 == 0 else _("has a wrong check digit")


def payer_tax_id(value: str) -> str:
    """Accept a Brazilian CPF or CNPJ."""
    return "" if _holds(cpf, value) or _holds(cnpj, value) else _("is no CPF or CNPJ")


def day(value: str) -> str:
    """Accept a calendar day in the form YYYY-MM-DD (ISO 8601)."""
    try:
        return "" if date.fromisoformat(value).isoformat() == value else _("must be a date as 2026-01-31")
    except ValueError:
        return _("must be a date as 2026-01-31")


def amount(value: str) -> str:
    """Accept a decimal number over 0, with at most 15 digits before the point."""
    try:
        amount = Decimal(value)
        valid = re.fullmatch(r"[0-9.]+", value) and 0 < amount < Decimal(10) ** 15
    except InvalidOperation:
        valid = False
    return "" if valid else _("must be a decimal number over 0")


def country(value: str) -> str:
    """Accept a country code of ISO 3166-1 alpha-2."""
    return "" if value in COUNTRIES else _("is not an ISO 3166-1 country code")


def bic(value: str) -> str:
    """Accept a BIC (ISO 9362)."""
    return "" if _holds(iso9362, value) else _("is no BIC (ISO 9362)")


def confirmed(value: bool) -> str:
    """Accept true only."""
    return "" if value else _("must be confirmed before the first debit")
