"""The regional rules over many accounts: the time of one check, and drift over the database in constant memory.

No server takes part. The aims are under 2 ms a check, and under 60 s for the drift of 100,000 accounts.
"""

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from itertools import cycle, islice
from typing import Any

import click
from django.db import connection

from benchmarks.report import Report
from benchmarks.stage import Stage
from billing.compliance.check import check, drift
from billing.compliance.dataset import data
from billing.compliance.einvoicing import EInvoicing
from billing.compliance.facts import AccountFacts, PlatformSettings
from billing.compliance.preferences import Preferences
from billing.compliance.tax_registrations import TaxRegistration
from billing.models import BillingAccount
from billing.services.account_spec import AccountSpec
from billing.services.compliance.drift import checked_accounts, find_drift, in_batches
from billing.services.compliance.rules import refusals
from billing.terms.payment_terms import PaymentTerms

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
                tax_registrations=(TaxRegistration(row.country, data().tax_numbers[row.country][0].valid_sample),),
                invoice_language=row.default_languages[0],
            ),
        )


def run(stage: Stage) -> Report:
    given = AccountSpec(
        "", "USD", WORST.payment_terms, {"creditCard": {"cardReference": "cc-1"}}, [], WORST.preferences
    )
    facts = {
        "check of an account that breaks most rules, ms": _milliseconds(lambda: check(WORST, PLATFORM, ON)),
        "check of an account in order, ms": _milliseconds(lambda: check(next(accounts(1)), PLATFORM, ON)),
        "all that configuring such an account asks, ms": _milliseconds(lambda: refusals(given, ON, given)),
    }
    count = stage.data.accounts
    facts |= _drift("from memory", count, drift(accounts(count), PLATFORM, ON))
    _give_countries()
    count = checked_accounts().count()
    with click.progressbar(in_batches(checked_accounts()), length=count, file=sys.stderr, label="Drift") as bar:
        facts |= _drift("from the database", count, find_drift(iter(bar), ON))
    return Report("Regional rules: check one account, and the drift of all", facts=facts)


def _drift(of: str, count: int, found: Iterator[Any]) -> dict[str, Any]:
    begun, memory = time.perf_counter(), _peak_memory_mib()
    failures = sum(1 for _failure in found)
    seconds = time.perf_counter() - begun
    return {
        f"drift {of}: accounts": count,
        f"drift {of}: s": round(seconds, 1),
        f"drift {of}: accounts/s": round(count / seconds),
        f"drift {of}: failures": failures,
        f"drift {of}: peak memory grew by, MiB": _peak_memory_mib() - memory,
    }


def _give_countries() -> None:
    """The accounts of the stage get the country and the sample tax number of each country in turn."""
    rows = [rows[-1] for rows in data().jurisdictions.values()]
    with connection.cursor() as cursor:
        for number, row in enumerate(rows):
            registrations = [{"country": row.country, "number": data().tax_numbers[row.country][0].valid_sample}]
            cursor.execute(
                f"UPDATE {BillingAccount._meta.db_table} SET country = %s, tax_registrations = %s::jsonb,"
                " net_days = 30 + id %% 60 WHERE id %% %s = %s",
                [row.country, json.dumps(registrations), len(rows), number],
            )


def _milliseconds(asked: Callable[[], object], rounds: int = 200) -> float:
    begun = time.perf_counter()
    for _round in range(rounds):
        asked()
    return round((time.perf_counter() - begun) / rounds * 1000, 3)


def _peak_memory_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
