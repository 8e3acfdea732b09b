"""The regional rules over many accounts: the time of one check, and drift in constant memory. No server takes part."""

import resource
import time
from collections.abc import Iterator
from datetime import date
from itertools import cycle, islice

from benchmarks.report import Report
from benchmarks.stage import Stage
from billing.compliance.check import check, drift
from billing.compliance.dataset import data
from billing.compliance.einvoicing import EInvoicing
from billing.compliance.facts import AccountFacts, PlatformSettings
from billing.compliance.preferences import Preferences
from billing.compliance.tax_registrations import TaxRegistration
from billing.payment_terms import PaymentTerms

ON = date(2027, 1, 1)
PLATFORM = PlatformSettings(seller_country="DE", data_regions=("EU",), retention_years=10)
# Poland has the most rows to read, and this account breaks a rule of every pack
WORST = AccountFacts(
    "acme-corp/worst",
    "USD",
    PaymentTerms(net_days=90, invoice_frequency="Monthly", invoice_day_of_month=1),
    "sepaDebitCore",
    Preferences(
        country="PL",
        tax_registrations=(TaxRegistration("PL", "PL8567346216"), TaxRegistration("DE", "DE136695978")),
        invoice_language="en-GB",
        e_invoicing=EInvoicing("PEPPOL_BIS3"),
        data_residency="US",
    ),
)


def accounts(count: int) -> Iterator[AccountFacts]:
    """Accounts of every country in turn, with its sample tax number and its currency, made one at a time."""
    rows = cycle([rows[-1] for rows in data().jurisdictions.values()])
    for number, row in enumerate(islice(rows, count)):
        yield AccountFacts(
            f"acme-corp/account-{number}",
            row.currency,
            PaymentTerms(net_days=30 + number % 60, invoice_frequency="Monthly", invoice_day_of_month=1),
            "creditCard",
            Preferences(
                country=row.country,
                tax_registrations=(TaxRegistration(row.country, row.valid_sample),),
                invoice_language=row.default_languages[0],
            ),
        )


def run(stage: Stage) -> Report:
    count = stage.data.accounts
    facts = {
        "accounts": count,
        "check of an account that breaks most rules, ms": round(_milliseconds_of_a_check(WORST), 3),
        "check of an account in order, ms": round(_milliseconds_of_a_check(next(accounts(1))), 3),
    }
    begun, failures, memory = time.perf_counter(), 0, _peak_memory_mib()
    for _failure in drift(accounts(count), PLATFORM, ON):
        failures += 1
    seconds = time.perf_counter() - begun
    facts |= {
        "drift, s": round(seconds, 1),
        "drift, accounts/s": round(count / seconds),
        "failures": failures,
        "peak memory grew by, MiB": _peak_memory_mib() - memory,
    }
    return Report("Regional rules: check one account, and the drift of all", facts=facts)


def _milliseconds_of_a_check(account: AccountFacts, rounds: int = 200) -> float:
    begun = time.perf_counter()
    for _round in range(rounds):
        check(account, PLATFORM, ON)
    return (time.perf_counter() - begun) / rounds * 1000


def _peak_memory_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
