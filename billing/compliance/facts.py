"""What rules are told of an account and of the platform that bills it."""

from dataclasses import dataclass

from billing.compliance.preferences import Preferences
from billing.terms.payment_terms import PaymentTerms


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """An account as the rules see it. `name` (`organization/account`) is only repeated in a drift report.

    `currency_code` and `payment_method` (the profile's field, as `sepaDebitCore`) are empty where not given yet.
    """

    name: str = ""
    currency_code: str = ""
    payment_terms: PaymentTerms = PaymentTerms()
    payment_method: str = ""
    preferences: Preferences = Preferences()

    @property
    def country(self) -> str:
        """The customer's country; empty where it is not given."""
        return self.preferences.country


@dataclass(frozen=True, slots=True)
class PlatformSettings:
    """Who sells and keeps the books. `seller_country` is ISO 3166-1 alpha-2, empty where the platform does not say.

    `data_regions` are where billing data can be kept, the first by default; `retention_years` how long
    closed accounts are kept, None where only the law decides.
    """

    seller_country: str = ""
    data_regions: tuple[str, ...] = ()
    retention_years: int | None = None
