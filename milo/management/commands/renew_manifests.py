"""`manage.py renew_manifests`: a revision of each object that is shown differently by now."""

from typing import Any

from django.core.management.base import BaseCommand

from milo.kube.store.resync import renew


class Command(BaseCommand):
    help = "Write a revision of each object that is not shown as its newest revision says, as migrate does."

    def handle(self, **options: Any) -> None:
        self.stdout.write(f"{renew()} objects were renewed")
