"""The form fields of an account's regional preferences."""

from typing import Any

from django.utils.translation import gettext_lazy

from billing.admin.localized_names import country_choices, country_name
from billing.admin.registration_rows import RegistrationRows, line_of, registration_of
from billing.compliance.dataset import data
from billing.compliance.einvoicing import EInvoicing
from billing.compliance.jurisdictions import COUNTRIES
from billing.compliance.preferences import Preferences
from billing.models.account_preferences import CUSTOMER_KINDS
from milo.admin.forms import ActForm, Lines, SearchedSelect, Select, Text

NONE = ("", gettext_lazy("Not given"))
LONGEST = 200


def _each(codes: Any) -> list[Any]:
    return [NONE, *((code, code) for code in sorted(codes))]


INVOICE_FIELDS = (
    ("invoice_language", "invoice_format"),
    ("e_invoice_standard", "peppol_participant_id"),
    ("leitweg_id", "codice_destinatario"),
    "pec_address",
)
CUSTOMER_FIELDS = (("country", "customer_kind"), "tax_registrations", "data_residency")


def _regions() -> list[tuple[str, str]]:
    return [(region, country_name(region)) for region in sorted(data().regions - COUNTRIES)]


class PreferencesFields(ActForm):
    """Country, tax numbers and invoice preferences of the customer."""

    country = SearchedSelect(required=False, choices=lambda: [NONE, *country_choices()], label=gettext_lazy("Country"))
    customer_kind = Select(choices=CUSTOMER_KINDS, initial="business", label=gettext_lazy("Kind of customer"))
    tax_registrations = Lines(
        required=False,
        label=gettext_lazy("Tax registrations"),
        widget=RegistrationRows,
        help_text=gettext_lazy("A row each; the kind only where the form of the number does not tell it."),
    )
    invoice_language = Text(
        required=False,
        max_length=35,
        label=gettext_lazy("Invoice language"),
        help_text=gettext_lazy("BCP 47, as de-AT."),
    )
    invoice_format = Select(required=False, choices=lambda: _each(data().formats), label=gettext_lazy("Invoice format"))
    e_invoice_standard = Select(
        required=False, choices=lambda: _each(data().standards), label=gettext_lazy("E-invoice standard")
    )
    peppol_participant_id = Text(
        required=False,
        max_length=LONGEST,
        label=gettext_lazy("Peppol participant"),
        help_text=gettext_lazy("Scheme, colon and identifier, as 0208:0428759497."),
    )
    leitweg_id = Text(required=False, max_length=LONGEST, label=gettext_lazy("Leitweg-ID"))
    codice_destinatario = Text(required=False, max_length=LONGEST, label=gettext_lazy("Codice Destinatario"))
    pec_address = Text(required=False, max_length=LONGEST, label=gettext_lazy("PEC address"))
    data_residency = SearchedSelect(
        required=False,
        choices=lambda: [NONE, *_regions(), *country_choices()],
        label=gettext_lazy("Data residency"),
        help_text=gettext_lazy("A region (EU, UK, US) or a country in which billing data are to be kept."),
    )


PATHS = {
    "spec.preferences.country": "country",
    "spec.preferences.customerKind": "customer_kind",
    "spec.preferences.taxRegistrations": "tax_registrations",
    "spec.preferences.invoiceLanguage": "invoice_language",
    "spec.preferences.invoiceFormat": "invoice_format",
    "spec.preferences.eInvoicing.standard": "e_invoice_standard",
    "spec.preferences.eInvoicing.identifiers.peppolParticipantId": "peppol_participant_id",
    "spec.preferences.eInvoicing.identifiers.leitwegId": "leitweg_id",
    "spec.preferences.eInvoicing.identifiers.codiceDestinatario": "codice_destinatario",
    "spec.preferences.eInvoicing.identifiers.pecAddress": "pec_address",
    "spec.preferences.dataResidency": "data_residency",
}


def preferences_of(values: dict[str, Any]) -> Preferences:
    """Return the preferences of the form's values."""
    return Preferences(
        values["country"],
        values["customer_kind"],
        tuple(registration_of(line) for line in values["tax_registrations"]),
        values["invoice_language"],
        values["invoice_format"],
        EInvoicing(
            values["e_invoice_standard"],
            values["peppol_participant_id"],
            values["leitweg_id"],
            values["codice_destinatario"],
            values["pec_address"],
        ),
        values["data_residency"],
    )


def initial_preferences(preferences: Preferences) -> dict[str, Any]:
    """Return the initial values of the form for `preferences`."""
    e_invoicing = preferences.e_invoicing
    return {
        "country": preferences.country,
        "customer_kind": preferences.customer_kind,
        "tax_registrations": [line_of(each) for each in preferences.tax_registrations],
        "invoice_language": preferences.invoice_language,
        "invoice_format": preferences.invoice_format,
        "e_invoice_standard": e_invoicing.standard,
        "peppol_participant_id": e_invoicing.peppol_participant_id,
        "leitweg_id": e_invoicing.leitweg_id,
        "codice_destinatario": e_invoicing.codice_destinatario,
        "pec_address": e_invoicing.pec_address,
        "data_residency": preferences.data_residency,
    }
