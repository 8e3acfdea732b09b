"""`spec.preferences`: the regional preferences of an account, and the validation of their form."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext as _

from billing.compliance import languages
from billing.compliance.dataset import data
from billing.compliance.einvoicing import EInvoicing
from billing.compliance.jurisdictions import COUNTRIES
from billing.compliance.tax_numbers import Scheme
from billing.compliance.tax_registrations import LENGTH, REGISTRATION_COUNTRIES, Form, TaxRegistration, checked
from milo import card_numbers
from milo.errors import Cause

FIELD = "spec.preferences"
MAX_TAX_REGISTRATIONS = 20


class CustomerKind(StrEnum):
    BUSINESS = "business"
    GOVERNMENT = "government"
    INDIVIDUAL = "individual"


@dataclass(frozen=True, slots=True)
class Preferences:
    """Country, tax registrations and invoice preferences of a customer. Every value may be empty.

    `country` is ISO 3166-1 alpha-2, `invoice_language` a BCP 47 tag, `data_residency` a region (`EU`) or a country.
    """

    country: str = ""
    customer_kind: str = CustomerKind.BUSINESS
    tax_registrations: tuple[TaxRegistration, ...] = ()
    invoice_language: str = ""
    invoice_format: str = ""
    e_invoicing: EInvoicing = EInvoicing()
    data_residency: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the value of the manifest without empty fields; an empty dict if all are defaults."""
        if self == Preferences():
            return {}
        values: dict[str, Any] = {
            "country": self.country,
            "customerKind": self.customer_kind,
            "taxRegistrations": [each.as_json() for each in self.tax_registrations],
            "invoiceLanguage": self.invoice_language,
            "invoiceFormat": self.invoice_format,
            "eInvoicing": self.e_invoicing.as_json(),
            "dataResidency": self.data_residency,
        }
        return {name: value for name, value in values.items() if value}

    def normalised(self, on: date) -> "Preferences":
        """Return a copy with normalised tax numbers (by the rules of the day `on`), language tag and identifiers."""
        registrations = tuple(replace(each, number=_stored_number(each, on)) for each in self.tax_registrations)
        return replace(
            self,
            tax_registrations=registrations,
            invoice_language=languages.canonical(self.invoice_language) or self.invoice_language,
            e_invoicing=self.e_invoicing.normalised(),
        )

    def causes(self, on: date, before: "Preferences | None" = None) -> list[Cause]:
        """Return every fault of form of normalised preferences on the day `on`.

        Tax registrations, language and e-invoicing that are unchanged since `before` are not checked again, so that an
        account stays valid when, for example, Peppol removes a scheme. `check.check` applies the law of countries.
        """
        causes = list(self._causes())
        if before is None or self.tax_registrations != before.tax_registrations:
            causes += self._tax_causes(on)
        if before is None or self.invoice_language != before.invoice_language:
            causes += self._language_causes()
        if before is None or self._recipient != before._recipient:
            government = self.customer_kind == CustomerKind.GOVERNMENT
            causes += self.e_invoicing.causes(government=government, country=self.country, on=on)
        return causes

    @property
    def _recipient(self) -> tuple[str, str, EInvoicing]:
        return self.country, self.customer_kind, self.e_invoicing

    def _language_causes(self) -> Iterator[Cause]:
        if self.invoice_language and not languages.canonical(self.invoice_language):
            message = _("is not a BCP 47 tag of a language that invoices can be written in, as de-AT")
            yield Cause(f"{FIELD}.invoiceLanguage", message)

    def _causes(self) -> Iterator[Cause]:
        if self.country and self.country not in COUNTRIES:
            yield _not_a_country(f"{FIELD}.country")
        if self.customer_kind not in list(CustomerKind):
            message = _("must be one of %(known)s") % {"known": ", ".join(CustomerKind)}
            yield Cause(f"{FIELD}.customerKind", message, "FieldValueNotSupported")
        if self.invoice_format and self.invoice_format not in data().formats:
            message = _("must be one of %(known)s") % {"known": ", ".join(sorted(data().formats))}
            yield Cause(f"{FIELD}.invoiceFormat", message, "FieldValueNotSupported")
        if self.data_residency and self.data_residency not in data().regions | COUNTRIES:
            message = _("is neither a region (%(known)s) nor an ISO 3166-1 country")
            known = ", ".join(sorted(data().regions - COUNTRIES))
            yield Cause(f"{FIELD}.dataResidency", message % {"known": known}, "FieldValueNotSupported")

    def _tax_causes(self, on: date) -> Iterator[Cause]:
        path = f"{FIELD}.taxRegistrations"
        if len(self.tax_registrations) > MAX_TAX_REGISTRATIONS:
            message = _("may hold at most %(limit)d registrations") % {"limit": MAX_TAX_REGISTRATIONS}
            yield Cause(path, message, "FieldValueTooMany")
            return
        first_index: dict[tuple[str, str], int] = {}
        for index, registration in enumerate(self.tax_registrations):
            if registration.country not in REGISTRATION_COUNTRIES:
                yield _not_a_country(f"{path}[{index}].country")
            if registration.scheme and registration.scheme not in list(Scheme):
                message = _("must be one of %(known)s") % {"known": ", ".join(Scheme)}
                yield Cause(f"{path}[{index}].scheme", message, "FieldValueNotSupported")
            number, result = f"{path}[{index}].number", checked(registration, on)
            if not result.number:
                yield Cause.required(number)
            elif len(registration.number) > LENGTH:
                yield Cause(number, _("is too long"), "FieldValueTooLong")
            # valid tax numbers are not searched: one in ten would pass for a card number
            elif result.form is not Form.VALID:
                yield from card_numbers.causes(registration.number, number)
            first = first_index.setdefault(result.identity, index)
            if first != index:
                message = _("is named twice: it is the registration of taxRegistrations[%(first)d]")
                yield Cause(number, message % {"first": first}, "FieldValueDuplicate")


def _stored_number(registration: TaxRegistration, on: date) -> str:
    """Return the number to store: normalised, or unchanged if it holds a card number, which `causes` refuses."""
    result = checked(registration, on)
    if result.form is not Form.VALID and card_numbers.found_in(registration.number):
        return registration.number
    return result.number


def _not_a_country(path: str) -> Cause:
    return Cause(path, _("is not an ISO 3166-1 country code, as DE"), "FieldValueNotSupported")
