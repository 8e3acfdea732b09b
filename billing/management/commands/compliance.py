"""`manage.py compliance check`."""

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import date
from typing import Any

import click
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from billing.compliance.check import Drift
from billing.models import BillingAccount
from billing.services.compliance.drift import checked_accounts, find_drift, in_batches
from milo.spreadsheets import csv_text
from projects.models import Organization

HEADER = "organization account since rule field message confidence source".split()
DRIFT, WRONG_USE = 1, 2


class Command(BaseCommand):
    help = (
        "Show which accounts break a regional rule, and since when the rule is in force. `compliance check` applies"
        " today's rules (UTC), or with --as-of those of another day. Exit status: 0 if no account breaks a rule, 1 if"
        " one does, 2 for wrong arguments. Changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["check"])
        parser.add_argument("--as-of", type=date.fromisoformat, help="a day as YYYY-MM-DD (default: today, UTC)")
        parser.add_argument("--organization", default="", help="only the accounts of this organization, by its name")
        parser.add_argument("--csv", action="store_true", help="comma-separated values with a header (RFC 4180)")

    def handle(self, *args: Any, **options: Any) -> None:
        on, organization = options["as_of"] or timezone.now().date(), options["organization"]
        if organization and not Organization.objects.filter(name=organization).exists():
            raise CommandError(f"there is no organization {organization}", returncode=WRONG_USE)
        if options["csv"]:
            self.stdout.write(csv_text([HEADER]), ending="")
        broken_rules, failing, previous = 0, 0, ""
        for each in find_drift(_with_progress(organization), on):
            # drift comes account by account, so a new name is a new account
            broken_rules, failing, previous = broken_rules + 1, failing + (each.name != previous), each.name
            if options["csv"]:
                self.stdout.write(csv_text([_cells(each)]), ending="")
            else:
                since = f"since {each.since}" if each.since else "always"
                self.stdout.write(f"{each.name}  {since}  {each.finding.field} {each.finding.cause().message}")
        self.stderr.write(f"{failing} accounts break {broken_rules} rules in force on {on}")
        if broken_rules:
            sys.exit(DRIFT)


def _with_progress(organization: str) -> Iterator[BillingAccount]:
    """Yield the accounts to check, with a progress bar on a terminal."""
    accounts = checked_accounts(organization)
    if not sys.stderr.isatty():
        yield from in_batches(accounts)
        return
    with click.progressbar(in_batches(accounts), length=accounts.count(), file=sys.stderr, label="Checked") as bar:
        yield from bar


def _cells(each: Drift) -> list[str]:
    organization, _slash, account = each.name.partition("/")
    finding = each.finding
    since = each.since.isoformat() if each.since else ""
    confidence = finding.confidence or ""
    return [organization, account, since, finding.rule, finding.field, finding.message, confidence, finding.source]
