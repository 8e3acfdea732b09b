"""Drift: accounts that break a rule in force on a day.

A new rule refuses nothing by itself: an account that broke it already stays as it is, and is listed here.
"""

from collections.abc import Iterator
from datetime import date
from itertools import islice

from billing.compliance.check import Drift, drift
from billing.compliance.facts import AccountFacts
from billing.compliance.findings import Finding
from billing.models import BillingAccount
from billing.models.account_queries import BillingAccountQuerySet
from billing.services.compliance.rules import facts_of, platform

BATCH = 1000
ACCOUNTS_A_PAGE, FINDINGS_A_PAGE = 5000, 100


def checked_accounts(organization: str = "") -> BillingAccountQuerySet:
    """Return the accounts that can still be revised, of one organization if its name is given."""
    accounts = BillingAccount.objects.exclude(phase__in=BillingAccount.READ_ONLY).select_related(
        "organization", "paid_by"
    )
    return accounts.filter(organization__name=organization) if organization else accounts


def in_batches(accounts: BillingAccountQuerySet, after: int = 0) -> Iterator[BillingAccount]:
    """Yield the accounts with a primary key above `after`, in constant memory.

    Each batch is a query of its own, so that the consumer may write between accounts.
    """
    while batch := list(accounts.filter(pk__gt=after).order_by("pk")[:BATCH]):
        yield from batch
        after = batch[-1].pk


def find_drift(accounts: Iterator[BillingAccount], on: date) -> Iterator[Drift]:
    """Yield each rule in force on the day `on` that an account breaks, with the day since when. Writes nothing."""
    return drift(map(_facts, accounts), platform(), on)


def drift_page(on: date, organization: str = "", after: int = 0) -> tuple[list[tuple[BillingAccount, Finding]], int]:
    """Return a page of findings by the rules in force on the day `on`, and the cursor of the next page.

    The page begins behind the primary key `after`, and ends after about 100 findings or 5,000 accounts. The cursor is
    the primary key of its last account, 0 on the last page.
    """
    findings: list[tuple[BillingAccount, Finding]] = []
    accounts = checked_accounts(organization)
    for account in islice(in_batches(accounts, after), ACCOUNTS_A_PAGE):
        after = account.pk
        findings += [(account, each.finding) for each in find_drift(iter([account]), on)]
        if len(findings) >= FINDINGS_A_PAGE:
            break
    return findings, after if accounts.filter(pk__gt=after).exists() else 0


def _facts(account: BillingAccount) -> AccountFacts:
    return facts_of(account, f"{account.organization.name}/{account.name}")
