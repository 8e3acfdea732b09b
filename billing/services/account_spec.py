"""What an account is asked to be, and what is wrong with it whoever asks."""

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
    """What an account is asked to be. `currency_code` is ISO 4217, empty where it is missing still."""

    display_name: str = ""
    currency_code: str = ""
    payment_terms: PaymentTerms = PaymentTerms()
    payment_profile: dict[str, Any] | None = None
    invoice_email_addresses: list[str] = field(default_factory=list)
    preferences: Preferences = Preferences()

    @classmethod
    def of(cls, account: BillingAccount) -> "AccountSpec":
        return cls(
            account.display_name,
            account.currency_code,
            account.payment_terms,
            account.payment_profile,
            account.invoice_email_addresses,
            account.preferences,
        )

    def normalised(self, on: date) -> "AccountSpec":
        """The same with tax numbers, language tag and identifiers as their authorities write them, to be stored."""
        return replace(self, preferences=self.preferences.normalised(on))

    def facts(self, name: str = "") -> AccountFacts:
        """What the rules of regions are told of it; `name` is repeated in a drift report."""
        method = profiles.method_of(self.payment_profile)
        return AccountFacts(name, self.currency_code, self.payment_terms, method, self.preferences)

    def causes(self, on: date, before: "AccountSpec | None" = None) -> list[Cause]:
        """Every fault of what is given; what is missing is no fault, it keeps the account Incomplete.

        A payment profile, language or e-invoice address that is the one of `before` is none, nor are its tax
        registrations: a card may have expired since, and a rule may have become stricter.
        """
        found = []
        if self.currency_code and self.currency_code not in ALLOWED:
            found.append(
                Cause(
                    "spec.currencyCode",
                    _("is not an ISO 4217 currency that accounts may have"),
                    "FieldValueNotSupported",
                )
            )
        found += self.payment_terms.causes()
        if before is None or self.payment_profile != before.payment_profile:
            found += profiles.causes(self.payment_profile, on)
        found += email_addresses.causes(self.invoice_email_addresses, "spec.invoiceEmailAddresses")
        return found + self.preferences.causes(on, before.preferences if before else None)

    def put_on(self, account: BillingAccount) -> None:
        account.display_name = self.display_name
        account.currency_code = self.currency_code
        account.payment_terms = self.payment_terms
        account.payment_profile = self.payment_profile
        account.invoice_email_addresses = self.invoice_email_addresses
        account.preferences = self.preferences
