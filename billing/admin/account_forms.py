"""The form of an account's spec, and its conversion from and to `AccountSpec`."""

from dataclasses import replace
from typing import Any, ClassVar

from django.utils.translation import gettext_lazy

from billing.admin import preferences_form
from billing.admin.localized_names import currency_choices
from billing.admin.preferences_form import (
    CUSTOMER_FIELDS,
    INVOICE_FIELDS,
    PreferencesFields,
    initial_preferences,
    preferences_of,
)
from billing.admin.profile_form import ProfileFields, initial_profile, profile_of
from billing.admin.terms_form import NOT_YET, TERMS_FIELDSETS, TermsFields, initial_terms, terms_of, terms_paths
from billing.services.accounts import AccountSpec
from milo.admin.forms import Fieldsets, Lines, SearchedSelect, Text


class SpecFields(TermsFields, ProfileFields, PreferencesFields):
    """All fields of an account's spec. None is required: an account without a required value becomes Incomplete."""

    display_name = Text(max_length=200, required=False, label=gettext_lazy("Display name"))
    currency_code = SearchedSelect(
        required=False,
        choices=lambda: [NOT_YET, *currency_choices()],
        label=gettext_lazy("Currency"),
        help_text=gettext_lazy("ISO 4217; fixed once the account has been Ready."),
    )
    invoice_email_addresses = Lines(
        required=False, label=gettext_lazy("Invoice e-mail addresses"), help_text=gettext_lazy("One a line.")
    )

    spec_fieldsets: ClassVar[Fieldsets] = (
        *TERMS_FIELDSETS,
        (gettext_lazy("Payment"), {"fields": tuple(ProfileFields.base_fields)}),
        (gettext_lazy("Invoices"), {"fields": ("invoice_email_addresses", *INVOICE_FIELDS)}),
        (gettext_lazy("Customer"), {"fields": CUSTOMER_FIELDS}),
    )
    field_order: tuple[str, ...] = (
        "display_name",
        "currency_code",
        *TermsFields.base_fields,
        *ProfileFields.base_fields,
        "invoice_email_addresses",
        *PreferencesFields.base_fields,
    )
    paths = {
        "metadata.name": "name",
        "spec.displayName": "display_name",
        "spec.currencyCode": "currency_code",
        **terms_paths("spec.paymentTerms"),
        "spec.paymentProfile": "payment_method",
        "spec.invoiceEmailAddresses": "invoice_email_addresses",
        **preferences_form.PATHS,
    }


def spec_of(values: dict[str, Any], before: AccountSpec) -> AccountSpec:
    """Return `before` with the values of the form."""
    return replace(
        before,
        display_name=values["display_name"],
        currency_code=values["currency_code"],
        payment_terms=terms_of(values),
        payment_profile=profile_of(values),
        invoice_email_addresses=values["invoice_email_addresses"],
        preferences=preferences_of(values),
    )


def initial_of(spec: AccountSpec) -> dict[str, Any]:
    """Return the initial values of the form for a spec."""
    return {
        "display_name": spec.display_name,
        "currency_code": spec.currency_code,
        **initial_terms(spec.payment_terms),
        **initial_profile(spec.payment_profile),
        "invoice_email_addresses": spec.invoice_email_addresses,
        **initial_preferences(spec.preferences),
    }
