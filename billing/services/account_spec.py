"""The desired state of an account, as a client or a person sends it, and its faults."""

from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from django.utils.translation import gettext as _

from billing.compliance.facts import AccountFacts
from billing.compliance.preferences import Preferences
from billing.currencies import ALLOWED
from billing.models import BillingAccount
from billing.payment_profile import profiles
from billing.terms.payment_terms import PaymentTerms
from milo import email_addresses
from milo.errors import Cause


@dataclass(frozen=True, slots=True)
class AccountSpec:
    """The desired state of an account. `currency_code` is ISO 4217, empty while unknown."""

    display_name: str = ""
    currency_code: str = ""
    payment_terms: PaymentTerms = PaymentTerms()
    payment_profile: dict[str, Any] | None = None
    invoice_email_addresses: list[str] = field(default_factory=list)
    preferences: Preferences = Preferences()

    @classmethod
    def of(cls, account: BillingAccount) -> "AccountSpec":
        """Return the spec that `account` has."""
        return cls(
            account.display_name,
            account.currency_code,
            account.payment_terms,
            account.payment_profile,
            account.invoice_email_addresses,
            account.preferences,
        )

    def normalised(self, on: date) -> "AccountSpec":
        """Return the spec to store: tax numbers, language tag and identifiers in the form of their authorities."""
        return replace(self, preferences=self.preferences.normalised(on))

    def facts(self, name: str = "") -> AccountFacts:
        """Return the facts that the regional rules read; `name` identifies the account in a drift report."""
        method = profiles.method_of(self.payment_profile)
        return AccountFacts(name, self.currency_code, self.payment_terms, method, self.preferences)

    def causes(self, on: date, before: "AccountSpec | None" = None) -> list[Cause]:
        """Return every fault of the values that are present, on the day `on` (UTC).

        A missing value is no fault: it keeps the account Incomplete. Nor is a payment profile, language, e-invoice
        address or tax registration that `before` has as well: a card may have expired since, or a rule become stricter.
        """
        causes = []
        if self.currency_code and self.currency_code not in ALLOWED:
            causes.append(
                Cause(
                    "spec.currencyCode",
                    _("is not an ISO 4217 currency that accounts may have"),
                    "FieldValueNotSupported",
                )
            )
        causes += self.payment_terms.causes()
        if before is None or self.payment_profile != before.payment_profile:
            causes += profiles.causes(self.payment_profile, on)
        causes += email_addresses.causes(self.invoice_email_addresses, "spec.invoiceEmailAddresses")
        return causes + self.preferences.causes(on, before.preferences if before else None)

    def put_on(self, account: BillingAccount) -> None:
        """Assign the spec to the columns of `account`; the caller saves."""
        account.display_name = self.display_name
        account.currency_code = self.currency_code
        account.payment_terms = self.payment_terms
        account.payment_profile = self.payment_profile
        account.invoice_email_addresses = self.invoice_email_addresses
        account.preferences = self.preferences
