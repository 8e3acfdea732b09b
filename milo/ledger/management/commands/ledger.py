"""`manage.py ledger key|seal|verify|break|export`."""

import sys
from argparse import ArgumentParser
from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.dateparse import parse_datetime

from milo.access import Actor
from milo.ledger import breaks, frontier, inspections, keys, seals, verification
from milo.ledger.export import NothingSealed, export
from milo.ledger.shapes import ColumnGone
from milo.verify import Heads, ProofFailed, read_heads


class Command(BaseCommand):
    help = (
        "Seal the ledger, verify it, or export a proof. `ledger key` prints a new key that signs seals; it is not"
        " stored. `ledger seal` seals the rows written since the last seal, like the background task every minute."
        " `ledger verify` reads every sealed row again, follows the chain, checks its signatures, and names the first"
        " row of each table that was altered, removed or inserted, and the first live row that differs from its"
        " history; exit status 1 where anything differs. `ledger break` names the seals that a restored backup has"
        " lost, and with --record signs that they are lost, so that `ledger verify --against` goes on. `ledger export`"
        " writes the rows of one organization with the seals that prove them. No row of the ledger is changed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        subcommands = parser.add_subparsers(dest="subcommand", required=True)
        key = subcommands.add_parser("key", help="print a new key that signs seals; it is not stored")
        key.add_argument("--public", action="store_true", help="print the public key of the present one instead")
        subcommands.add_parser("seal", help="seal the rows written since the last seal")
        verify = subcommands.add_parser("verify", help="compare every row with its seal")
        verify.add_argument(
            "--since",
            type=instant,
            help="only rows sealed from this day or instant on (ISO 8601; UTC)",
        )
        verify.add_argument(
            "--against",
            type=Path,
            nargs="+",
            metavar="HEADS",
            help="heads from the anchor, one JSON object a line; files of several hosts are one list",
        )
        broken = subcommands.add_parser("break", help="name the seals that a restored backup has lost, or record them")
        broken.add_argument(
            "--against", type=Path, nargs="+", metavar="HEADS", required=True, help="heads from the anchor"
        )
        broken.add_argument("--reason", required=True, help="why they are lost; no personal data")
        broken.add_argument("--record", action="store_true", help="sign it and deliver it to the anchor")

        export = subcommands.add_parser("export", help="write a bundle for python -m milo.verify on another machine")
        export.add_argument("bundle", type=Path, help="the ZIP file to write")
        export.add_argument("--organization", required=True, help="the name of the organization")
        export.add_argument("--from", type=instant, dest="since", help="only rows sealed from this day or instant on")
        export.add_argument("--to", type=instant, dest="until", help="only rows sealed before this day or instant")

        for check in inspections.checks().values():
            subcommands.add_parser(check.name, help=check.help)

    def handle(self, *args: Any, **options: Any) -> None:
        if check := inspections.checks().get(options["subcommand"]):
            self._check(check)
        else:
            try:
                getattr(self, f"_{options['subcommand']}")(options)
            except (keys.KeyUnusable, ProofFailed, breaks.NoBreak) as error:
                raise CommandError(str(error)) from error

    def _check(self, check: inspections.Check) -> None:
        found = 0
        for wrong in check.find():
            found += 1
            self.stderr.write(str(wrong))
        self.stdout.write(f"{check.name}: {found} found")
        if found:
            raise CommandError(f"{found} found by {check.name}")

    def _key(self, options: dict[str, Any]) -> None:
        text = keys.pem(keys.signing_key().public_key()) if options["public"] else keys.new_key()
        self.stdout.write(text, ending="")

    def _seal(self, options: dict[str, Any]) -> None:
        try:
            rows = seals.seal()
        except frontier.WritersBusy as error:
            raise CommandError(f"nothing was sealed: {error}") from error
        self.stdout.write(f"{rows} rows sealed")

    def _verify(self, options: dict[str, Any]) -> None:
        heads = _heads(options["against"] or ())
        bar = self._bar if sys.stderr.isatty() else None
        report = verification.inspect(options["since"], heads.digests, bar)
        if bar:
            self.stderr.write("")
        for fault in report.faults:
            self.stderr.write(str(fault))
        for each in heads.breaks:
            self.stdout.write(f"acknowledged: {each}")
        self.stdout.write(f"{report.rows} rows of {report.seals} seals verified, {report.unsealed} rows await a seal")
        if report.faults:
            raise CommandError("the ledger is not what was sealed")

    def _break(self, options: dict[str, Any]) -> None:
        if not options["reason"].strip():
            raise CommandError("--reason must say why the seals are lost")
        lost = breaks.lost(options["against"], _heads(options["against"], agreeing=False))
        self.stdout.write(str(lost))
        if not options["record"]:
            self.stdout.write("nothing was recorded: run it again with --record where that is right")
            return
        recorded = breaks.record(lost, reason=options["reason"].strip(), by=Actor.system("shell").name)
        self.stdout.write(f"recorded: {recorded}")

    def _export(self, options: dict[str, Any]) -> None:
        try:
            rows = export(options["bundle"], options["organization"], options["since"], options["until"])
        except (NothingSealed, ColumnGone) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{rows} rows of {options['organization']} in {options['bundle']}")

    def _bar(self, done: int, total: int) -> None:
        filled = 40 * done // total if total else 40
        self.stderr.write(f"\r[{'#' * filled:40}] {done} of {total} rows", ending="")


def instant(text: str) -> datetime:
    """Return an ISO 8601 instant, or the beginning of a day; in UTC without a time zone."""
    parsed = parse_datetime(text) or datetime.combine(date.fromisoformat(text), time())
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _heads(paths: Iterable[Path], *, agreeing: bool = True) -> Heads:
    """Return the heads of all files together. Raises `CommandError` for an invalid file, and `ProofFailed`."""
    try:
        return read_heads(paths, keys.public_keys(), agreeing=agreeing)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CommandError(f"{', '.join(map(str, paths))} is not a list of heads: {error}") from error
