"""`manage.py renew_manifests`: write a revision of each object whose manifest has changed."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from milo.kube.store import resync


class Command(BaseCommand):
    help = (
        "Write a revision of each object whose manifest differs from its newest revision. The worker goes on with what"
        " is interrupted, and so does --continue."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--continue", action="store_true", dest="onward", help="go on where it stopped")

    def handle(self, *, onward: bool, **options: Any) -> None:
        if not onward:
            resync.owe(again=True)
        renewed = 0
        for progress in resync.proceed():
            if progress.ended_at:
                self.stdout.write(f"{progress.pk}: {progress.compared} objects compared, {progress.renewed} renewed")
                renewed += progress.renewed
        self.stdout.write(f"{renewed} objects were renewed")
