"""`manage.py usage verify|rebuild`: compare sums of usage with a recount of events, and repair them."""

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing.models import BillingAccount, UsageMeter
from billing.services.usage import proofs, recounts
from billing.services.usage.corrections import overcorrected
from billing.services.usage.recounts import Chunk
from billing.services.usage.sums import Amount, SumKey
from billing.usage.quantities import plain
from billing.usage.times import EARLIEST, LATEST
from milo.dates import parse_month


def month(text: str) -> date:
    """Parse a month such as `2026-11` as its first day. Raises ValueError for months outside the range of usage."""
    first = parse_month(text)
    if not EARLIEST <= first < LATEST:
        raise ValueError("no usage can lie there")
    return first


class Command(BaseCommand):
    help = (
        "Compare the sums of usage with a recount of the events (verify), or replace them by the recount (rebuild), by"
        " month of each project in the order of their names. verify also lists events that are corrected below zero"
        " and, without options that select a part, events that differ from what was reported."
        " Exit status 1 if sums differ and were not repaired, or if there is such an event. Continue a stopped run with"
        " --after."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=("verify", "rebuild"))
        parser.add_argument("--account", metavar="ORGANIZATION/NAME", help="only projects it pays or paid for")
        parser.add_argument("--from", dest="start", type=month, metavar="YYYY-MM", help="first month, in UTC")
        parser.add_argument("--to", dest="end", type=month, metavar="YYYY-MM", help="last month, in UTC")
        parser.add_argument("--after", metavar="PROJECT", default="", help="go on after this project")

    def handle(self, *args: Any, **options: Any) -> None:
        projects = recounts.projects_of(self._account(options["account"]))
        total, wrong, months, below_zero = projects.count(), 0, 0, 0
        done = projects.filter(name__lte=options["after"]).count() if options["after"] else 0
        for project in projects.filter(name__gt=options["after"]).iterator():
            for chunk in recounts.chunks(project, options["start"], options["end"]):
                months += 1
                wrong += self._work(chunk, options["what"])
                below_zero += self._below_zero(chunk) if options["what"] == "verify" else 0
            done += 1
            self.stdout.write(f"{done}/{total} {project.name}")
        altered = self._altered() if options["what"] == "verify" and not self._bounded(options) else 0
        faults = [f"{wrong} of {months} months of projects differ from their events"] if wrong else []
        faults += [f"events corrected below zero: {below_zero}"] if below_zero else []
        faults += [f"not as they were reported: {altered}"] if altered else []
        if faults:
            raise CommandError("; ".join(faults))
        self.stdout.write(f"{months} months of projects are the recount of their events")

    @staticmethod
    def _bounded(options: dict[str, Any]) -> bool:
        return any(options[name] for name in ("account", "start", "end", "after"))

    def _altered(self) -> int:
        """Print each intake and event that differs from what was reported, and return their number."""
        count = 0
        for difference in proofs.differences():
            count += 1
            where = f"intake {difference.row} " if difference.row is not None else ""
            self.stdout.write(f"  {where}{difference.message}")
        return count

    def _account(self, named: str | None) -> BillingAccount | None:
        if not named:
            return None
        organization, _slash, name = named.partition("/")
        account = BillingAccount.objects.filter(organization__name=organization, name=name).first()
        if account is None:
            raise CommandError(f"there is no billing account {named}")
        return account

    def _work(self, chunk: Chunk, what: str) -> bool:
        """Verify or rebuild a chunk, print its differences, and return whether it remains wrong."""
        if what == "verify":
            missing, right = recounts.verify(chunk), False
        else:
            missing, right = recounts.rebuild(chunk)
        meters = UsageMeter.objects.in_bulk({of.meter_id for of in missing})
        payers = BillingAccount.objects.in_bulk([of.account_id for of in missing if of.account_id])
        for of, amount in missing.items():
            payer = payers[of.account_id].name if of.account_id else "nobody"
            self.stdout.write(_line(chunk, of, amount, f"{meters[of.meter_id]}", payer))
        if missing and what == "rebuild":
            self.stdout.write("  made right" if right else "  left as it is: the month is closed")
        return bool(missing) and not right

    def _below_zero(self, chunk: Chunk) -> int:
        """Print each event of the chunk that is corrected below zero, and return their number."""
        events = list(overcorrected(chunk))
        for event in events:
            self.stdout.write(
                f"  {chunk.project.name} {chunk.month:%Y-%m} event {event.event_id} of {event.source}: reported"
                f" {plain(event.reported)}, corrected by {plain(event.corrections)} to {plain(event.total)}"
            )
        return len(events)


def _line(chunk: Chunk, of: SumKey, amount: Amount, meter: str, payer: str) -> str:
    return (
        f"  {chunk.project.name} {of.granularity} {of.starts_on} {meter}, paid by {payer}, billed in"
        f" {of.billed_in:%Y-%m}: lacks {plain(amount.quantity)} in {amount.events} events"
    )
