"""`manage.py retention plan`."""

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from billing.services.retention.plans import Planned, plan
from milo.spreadsheets import csv_text

HEADER = ("organization", "account", "phase", "archiveOn", "purgeOn", "holds", "due")


class Command(BaseCommand):
    help = (
        "Show what retention will do. `retention plan` lists every closed or archived account that still has personal"
        " data: the first day (UTC) on which it is archived and on which it is purged (empty: a hold is open, or"
        " MILO_PLATFORM_COUNTRY names no known country), the open holds, and what the tasks would do with it on the day"
        " of --as-of. Changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["plan"])
        parser.add_argument("--as-of", type=date.fromisoformat, help="a day as YYYY-MM-DD (default: today, UTC)")
        parser.add_argument("--organization", default="", help="only the accounts of this organization, by its name")
        parser.add_argument("--csv", action="store_true", help="comma-separated values with a header (RFC 4180)")

    def handle(self, *args: Any, **options: Any) -> None:
        on = options["as_of"] or timezone.now().date()
        if options["csv"]:
            self.stdout.write(csv_text([HEADER]), ending="")
        else:
            self.stdout.write(_line(HEADER))
        for planned in plan(on, options["organization"]):
            cells = _cells(planned, on)
            if options["csv"]:
                self.stdout.write(csv_text([cells]), ending="")
            else:
                self.stdout.write(_line(cells))


def _cells(planned: Planned, on: date) -> tuple[str, ...]:
    account = planned.account
    days = (str(day) if day else "" for day in (planned.archive_on, planned.purge_on))
    return account.organization.name, account.name, account.phase, *days, " ".join(planned.holds), planned.due(on)


def _line(cells: tuple[str, ...]) -> str:
    widths = (24, 32, 9, 10, 10, 20, 0)
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
