"""`manage.py archive verify`."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing.services.retention.archival import record, verify_all


class Command(BaseCommand):
    help = (
        "Verify the archive. `archive verify` reads every bundle of the storage `archive` whole and compares SHA-256"
        " and number of rows of each part with its manifest, and the manifest with the digest in the account's row."
        " Prints a line for each account; exit status 1 if a bundle is missing or differs. Without `--organization` the"
        " result is shown by the metrics of the check `archive`. Changes no bundle."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["verify"])
        parser.add_argument("--organization", default="", help="only the accounts of this organization, by its name")

    def handle(self, *args: Any, **options: Any) -> None:
        checked, faults = 0, []
        for account, rows, fault in verify_all(options["organization"]):
            checked += 1
            name = f"{account.organization.name}/{account.name}"
            if fault:
                faults.append(f"{name}: {fault}")
            (self.stderr if fault else self.stdout).write(f"{name}: {fault or f'{rows} rows, whole'}")
        self.stdout.write(f"{checked} bundles checked, {len(faults)} broken")
        if not options["organization"]:
            record(faults)
        if faults:
            raise CommandError(f"{len(faults)} of {checked} bundles are broken")
