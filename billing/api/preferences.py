"""Regional preferences in manifests.

Types are checked here; the service checks formats and names every cause at once.
"""

from typing import Any

from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.compliance.dataset import data
from billing.compliance.einvoicing import IDENTIFIERS, EInvoicing
from billing.compliance.preferences import MAX_TAX_REGISTRATIONS, CustomerKind, Preferences
from billing.compliance.tax_numbers import Scheme
from billing.compliance.tax_registrations import LENGTH, Form, TaxRegistration
from milo.kube.fields import StringField
from milo.kube.schemas import TextField

COUNTRY = {"type": "string", "pattern": "^[A-Z]{2}$"}


@extend_schema_field(COUNTRY)
class CountryField(TextField):
    """An ISO 3166-1 alpha-2 country code."""


@extend_schema_field({"type": "string", "enum": [kind.value for kind in CustomerKind]})
class CustomerKindField(TextField):
    """A kind of customer."""


@extend_schema_field({"type": "string", "enum": sorted(data().formats)})
class InvoiceFormatField(TextField):
    """An invoice format."""


@extend_schema_field({"type": "string", "enum": sorted(data().standards)})
class StandardField(TextField):
    """An e-invoicing standard."""


@extend_schema_field({"type": "string", "enum": [scheme.value for scheme in Scheme]})
class SchemeField(TextField):
    """A tax number scheme."""


class TaxRegistrationSerializer(serializers.Serializer[Any]):
    country = CountryField(
        help_text=gettext_lazy(
            "ISO 3166-1 alpha-2 of the country whose number it is, for example DE; EU for one-stop shop numbers."
        )
    )
    scheme = SchemeField(
        required=False,
        help_text=gettext_lazy(
            "VAT, GST, NationalBusinessID, PersonalID or Other. Left out, the form of the number tells: the country's"
            " default first, VAT numbers only with their prefix. status.taxRegistrations has the result."
        ),
    )
    number = StringField(
        max_length=10 * LENGTH,
        help_text=gettext_lazy(
            "The number; kept as its authority writes it. Its form is checked, never whether it is registered."
        ),
    )

    def to_internal_value(self, data: Any) -> Any:
        return TaxRegistration(**super().to_internal_value(data))


class TaxRegistrationListField(serializers.ListField):
    child = TaxRegistrationSerializer()

    def to_internal_value(self, data: Any) -> Any:
        # before the items: a long list would otherwise be refused with one cause per item
        if isinstance(data, list) and len(data) > MAX_TAX_REGISTRATIONS:
            self.fail("max_length", max_length=MAX_TAX_REGISTRATIONS)
        return tuple(super().to_internal_value(data))


class IdentifiersSerializer(serializers.Serializer[Any]):
    peppolParticipantId = TextField(
        source=IDENTIFIERS["peppolParticipantId"],
        required=False,
        help_text=gettext_lazy(
            "Peppol participant: scheme of 4 digits, colon, identifier, for example 0208:0428759497."
        ),
    )
    leitwegId = TextField(
        source=IDENTIFIERS["leitwegId"],
        required=False,
        help_text=gettext_lazy("Leitweg-ID of a German government office, for example 991-03730-19."),
    )
    codiceDestinatario = TextField(
        source=IDENTIFIERS["codiceDestinatario"],
        required=False,
        help_text=gettext_lazy("Codice Destinatario of Italy's SdI: 7 letters or digits, 6 for a government office."),
    )
    pecAddress = TextField(
        source=IDENTIFIERS["pecAddress"],
        required=False,
        help_text=gettext_lazy("Certified e-mail address (PEC), for customers without a Codice Destinatario."),
    )


class EInvoicingSerializer(serializers.Serializer[Any]):
    standard = StandardField(required=False, help_text=gettext_lazy("Standard by which the customer takes e-invoices."))
    identifiers = IdentifiersSerializer(
        required=False, help_text=gettext_lazy("Addresses to which the standard delivers.")
    )

    def to_internal_value(self, data: Any) -> Any:
        fields = super().to_internal_value(data)
        return EInvoicing(standard=fields.get("standard", ""), **fields.get("identifiers", {}))


class PreferencesSerializer(serializers.Serializer[Any]):
    country = CountryField(
        required=False,
        help_text=gettext_lazy("ISO 3166-1 alpha-2 country of the customer, for example DE; its rules apply."),
    )
    customerKind = CustomerKindField(
        source="customer_kind",
        required=False,
        help_text=gettext_lazy("business (the default), government or individual; rules differ by kind."),
    )
    taxRegistrations = TaxRegistrationListField(
        source="tax_registrations",
        required=False,
        max_length=MAX_TAX_REGISTRATIONS,
        help_text=gettext_lazy(
            "VAT, GST and other tax numbers of the customer, also several of one country; at most 20."
        ),
    )
    invoiceLanguage = TextField(
        source="invoice_language",
        required=False,
        help_text=gettext_lazy("BCP 47 tag of the language of invoices, as de-AT."),
    )
    invoiceFormat = InvoiceFormatField(
        source="invoice_format",
        required=False,
        help_text=gettext_lazy("Invoice format that the customer wants: PDF, or a standard."),
    )
    eInvoicing = EInvoicingSerializer(
        source="e_invoicing", required=False, help_text=gettext_lazy("How the customer takes e-invoices.")
    )
    dataResidency = TextField(
        source="data_residency",
        required=False,
        help_text=gettext_lazy("Region (EU, UK, US) or ISO 3166-1 country in which billing data are to be kept."),
    )

    def to_internal_value(self, data: Any) -> Any:
        return Preferences(**super().to_internal_value(data))


@extend_schema_field({"type": "string", "enum": [form.value for form in Form]})
class FormField(serializers.CharField):
    """The result of the form check of a tax number."""


class CheckedRegistrationSerializer(serializers.Serializer[Any]):
    country = serializers.CharField(help_text=gettext_lazy("ISO 3166-1 alpha-2 of the country whose number it is."))
    scheme = SchemeField(
        required=False,
        help_text=gettext_lazy("Kind of number, as declared or recognized by its form; absent where unknown."),
    )
    name = serializers.CharField(
        required=False,
        help_text=gettext_lazy("Name of the number there, for example USt-IdNr; absent where no data are known."),
    )
    number = serializers.CharField(help_text=gettext_lazy("The number as its authority writes it."))
    form = FormField(
        help_text=gettext_lazy(
            "FormatValid, FormatInvalid, or FormatUnknown where no data are known of the country;"
            " no register was queried."
        )
    )
