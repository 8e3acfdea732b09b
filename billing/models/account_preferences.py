"""Columns of an account's regional preferences."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy

from billing.compliance.einvoicing import EInvoicing
from billing.compliance.preferences import CustomerKind, Preferences
from billing.compliance.tax_registrations import TaxRegistration

CUSTOMER_KINDS = [
    (CustomerKind.BUSINESS.value, gettext_lazy("Business")),
    (CustomerKind.GOVERNMENT.value, gettext_lazy("Government")),
    (CustomerKind.INDIVIDUAL.value, gettext_lazy("Individual")),
]


class PreferencesColumns(models.Model):
    """The columns of `spec.preferences`. Every regional rule reads the country of an account from here."""

    country = models.CharField(
        gettext_lazy("country"), max_length=2, blank=True, help_text=gettext_lazy("ISO 3166-1 alpha-2.")
    )
    customer_kind = models.CharField(
        gettext_lazy("kind of customer"), max_length=10, choices=CUSTOMER_KINDS, default=CustomerKind.BUSINESS.value
    )
    tax_registrations = models.JSONField(gettext_lazy("tax registrations"), default=list, blank=True)
    invoice_language = models.CharField(gettext_lazy("invoice language"), max_length=35, blank=True)
    invoice_format = models.CharField(gettext_lazy("invoice format"), max_length=40, blank=True)
    e_invoicing = models.JSONField(gettext_lazy("e-invoicing"), default=dict, blank=True)
    data_residency = models.CharField(gettext_lazy("data residency"), max_length=20, blank=True)

    class Meta:
        abstract = True

    @property
    def preferences(self) -> Preferences:
        """The columns as one value; setting it replaces them all."""
        return Preferences(
            self.country,
            self.customer_kind,
            tuple(TaxRegistration(**each) for each in self.tax_registrations),
            self.invoice_language,
            self.invoice_format,
            EInvoicing.from_json(self.e_invoicing),
            self.data_residency,
        )

    @preferences.setter
    def preferences(self, preferences: Preferences) -> None:
        self.country = preferences.country
        self.customer_kind = preferences.customer_kind
        self.tax_registrations = [each.as_json() for each in preferences.tax_registrations]
        self.invoice_language = preferences.invoice_language
        self.invoice_format = preferences.invoice_format
        self.e_invoicing = preferences.e_invoicing.as_json()
        self.data_residency = preferences.data_residency


PREFERENCES_CONSTRAINTS = [
    # regional rules differ by kind of customer; none would apply to an unknown kind
    models.CheckConstraint(
        condition=Q(customer_kind__in=[kind.value for kind in CustomerKind]),
        name="account_known_customer_kind",
    ),
]
