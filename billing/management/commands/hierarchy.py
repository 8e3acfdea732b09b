"""`manage.py hierarchy verify|rebuild`: compare payers of record with a recount, and repair them."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing.models import BillingAccountAffiliation
from billing.services.affiliations import payers
from billing.services.affiliations.locks import lock_hierarchy
from milo import audit
from projects.models import Organization


class Command(BaseCommand):
    help = (
        "Compare who is payer of record of each account in each month with a recount of the affiliations (verify), or"
        " replace it by the recount (rebuild). Exit status 1 if something differs and was not repaired."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=("verify", "rebuild"))
        parser.add_argument("--organization", metavar="NAME", help="only this one")

    def handle(self, *args: Any, **options: Any) -> None:
        organizations = Organization.objects.order_by("name")
        if named := options["organization"]:
            organizations = organizations.filter(name=named)
            if not organizations.exists():
                raise CommandError(f"there is no organization {named}")
        wrong = affiliations = 0
        for organization in organizations.iterator():
            affiliations += BillingAccountAffiliation.objects.facts().filter(organization=organization).count()
            if options["what"] == "verify":
                for difference in payers.differences(organization.pk):
                    wrong += 1
                    self.stdout.write(f"{organization.name}: {difference}")
                continue
            with audit.transaction():
                lock_hierarchy(organization.pk)
                if made_right := payers.rebuild(organization.pk):
                    self.stdout.write(f"{organization.name}: {made_right} differences made right")
        if wrong:
            raise CommandError(f"{wrong} differences")
        self.stdout.write(f"payers of record are as {affiliations} affiliations have them")
