"""The currency of invoices: an ISO 4217 code, and the currency of the customer's country."""

from collections.abc import Iterator
from datetime import date

from django.utils.translation import gettext as _

from billing.compliance.dataset import data
from billing.compliance.facts import AccountFacts, PlatformSettings
from billing.compliance.findings import Confidence, Finding, Severity
from billing.currencies import ALLOWED

FIELD = "spec.currencyCode"
# edition of ISO 4217 that the list follows (docs/compliance.md, "Currencies")
EDITION = date(2026, 1, 1)


def findings(facts: AccountFacts, platform: PlatformSettings, on: date) -> Iterator[Finding]:
    """Yield an Error for codes that are withdrawn or not allowed; else a hint if the country has another currency.

    The hint is a Warning for domestic customers and an Info for others.
    """
    if not facts.currency_code:
        return
    if facts.currency_code not in ALLOWED:
        message = _("%(code)s is not an ISO 4217 currency that accounts may have") % {"code": facts.currency_code}
        yield Finding(
            Severity.ERROR,
            FIELD,
            message,
            "currency.iso4217",
            EDITION,
            Confidence.HIGH,
            "ISO4217",
            reason="FieldValueNotSupported",
        )
        return
    row = data().jurisdiction(facts.country, on)
    if row is None or row.currency == facts.currency_code:
        return
    domestic = facts.country == platform.seller_country
    message = _(
        "invoices are in %(code)s, the currency of %(country)s is %(local)s; see whether tax must be shown in it"
    )
    yield Finding(
        Severity.WARNING if domestic else Severity.INFO,
        FIELD,
        message % {"code": facts.currency_code, "country": row.name, "local": row.currency},
        f"currency.local.{row.country}",
        row.effective_from,
        source="ISO4217",
    )
