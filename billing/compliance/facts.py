"""The input of rules: an account, and the settings of the platform."""

from dataclasses import dataclass

from billing.compliance.preferences import Preferences
from billing.terms.payment_terms import PaymentTerms


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """The values of an account that rules read. `name` (`organization/account`) only appears in drift reports.

    `payer` has those of its payer of record; None where that is the account itself. `currency_code` and
    `payment_method` (the field of the payment profile, such as `sepaDebitCore`) may be empty.
    """

    name: str = ""
    currency_code: str = ""
    payment_terms: PaymentTerms = PaymentTerms()
    payment_method: str = ""
    preferences: Preferences = Preferences()
    payer: "AccountFacts | None" = None

    @property
    def country(self) -> str:
        """Return the customer's country; may be empty."""
        return self.preferences.country

    @property
    def countries(self) -> tuple[str, ...]:
        """Return the countries of the customer and of its payer of record; each may be empty."""
        return (self.country, self.payer.country) if self.payer else (self.country,)


@dataclass(frozen=True, slots=True)
class PlatformSettings:
    """The platform, which sells and keeps the books. `seller_country` is ISO 3166-1 alpha-2, or empty.

    `data_regions` are the regions that can hold billing data, the default first. `retention_years` is how long closed
    accounts are kept; None if the law alone decides.
    """

    seller_country: str = ""
    data_regions: tuple[str, ...] = ()
    retention_years: int | None = None
