"""Which accounts fail under the rules of a day: a new rule breaks none by itself, and must not go unnoticed."""

from collections.abc import Iterator
from datetime import date
from itertools import islice

from billing.compliance.check import Drift, drift
from billing.compliance.facts import AccountFacts
from billing.compliance.findings import Finding
from billing.models import BillingAccount
from billing.models.account import BillingAccountQuerySet
from billing.services.account_spec import AccountSpec
from billing.services.compliance.rules import platform

BATCH = 1000
ACCOUNTS_A_PAGE, FINDINGS_A_PAGE = 5000, 100


def checked_accounts(organization: str = "") -> BillingAccountQuerySet:
    """The accounts that can still be set right (of one organization, by its name)."""
    accounts = BillingAccount.objects.exclude(phase__in=BillingAccount.READ_ONLY).select_related("organization")
    return accounts.filter(organization__name=organization) if organization else accounts


def in_batches(accounts: BillingAccountQuerySet, after: int = 0) -> Iterator[BillingAccount]:
    """Accounts by primary key from the one behind `after`, in constant memory; writes in between do no harm."""
    while batch := list(accounts.filter(pk__gt=after).order_by("pk")[:BATCH]):
        yield from batch
        after = batch[-1].pk


def find_drift(accounts: Iterator[BillingAccount], on: date) -> Iterator[Drift]:
    """Each rule in force `on` a day that an account breaks, and since when it is in force. Changes nothing."""
    return drift(map(_facts, accounts), platform(), on)


def drift_page(on: date, organization: str = "", after: int = 0) -> tuple[list[tuple[BillingAccount, Finding]], int]:
    """Accounts behind the primary key `after` with each rule in force `on` a day that they break, for people to read.

    It ends after some 100 findings or 5,000 accounts; the primary key where the next page begins, 0 where all is read.
    """
    found: list[tuple[BillingAccount, Finding]] = []
    accounts = checked_accounts(organization)
    for account in islice(in_batches(accounts, after), ACCOUNTS_A_PAGE):
        after = account.pk
        found += [(account, each.finding) for each in find_drift(iter([account]), on)]
        if len(found) >= FINDINGS_A_PAGE:
            break
    return found, after if accounts.filter(pk__gt=after).exists() else 0


def _facts(account: BillingAccount) -> AccountFacts:
    return AccountSpec.of(account).facts(f"{account.organization.name}/{account.name}")
