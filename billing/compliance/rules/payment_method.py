"""The payment method must fit the customer's country and kind, and the account's currency."""

from collections.abc import Iterator
from datetime import date

from django.utils.translation import gettext as _

from billing.compliance.dataset import data
from billing.compliance.facts import AccountFacts, PlatformSettings
from billing.compliance.findings import Finding, error_if
from billing.compliance.payment_methods import PaymentMethod
from billing.compliance.preferences import CustomerKind

FIELD = "spec.paymentProfile"


def findings(facts: AccountFacts, platform: PlatformSettings, on: date) -> Iterator[Finding]:
    """Yield a finding for each of country, currency and kind that does not fit: an Error, by a soft row a Warning."""
    method = data().method(facts.payment_method, on)
    if method is None:
        return
    if facts.country and method.countries is not None and facts.country not in method.countries:
        message = _("%(method)s is not for payers in %(country)s; it is for %(known)s") % {
            "method": method.member,
            "country": facts.country,
            "known": ", ".join(sorted(method.countries)),
        }
        yield _finding(method, "country", message)
    currencies = _currencies(method, facts.country, on)
    if facts.currency_code and currencies is not None and facts.currency_code not in currencies:
        message = _("%(method)s does not settle %(code)s; it settles %(known)s") % {
            "method": method.member,
            "code": facts.currency_code,
            "known": ", ".join(sorted(currencies)),
        }
        yield _finding(method, "currency", message)
    if method.business_only and facts.preferences.customer_kind == CustomerKind.INDIVIDUAL:
        message = _("%(method)s is not for consumers") % {"method": method.member}
        yield _finding(method, "kind", message)


def _currencies(method: PaymentMethod, country: str, on: date) -> frozenset[str] | None:
    if not method.domestic_currency:
        return method.currencies
    row = data().jurisdiction(country, on)
    return frozenset({row.currency}) if row else None


def _finding(method: PaymentMethod, about: str, message: str) -> Finding:
    return Finding(
        error_if(method.firm),
        f"{FIELD}.{method.member}",
        message,
        f"method.{about}.{method.name}",
        method.effective_from,
        method.confidence,
        method.source,
        reason="FieldValueNotSupported",
    )
