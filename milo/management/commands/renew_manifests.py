"""`manage.py renew_manifests`: write a revision of each object whose manifest has changed."""

from typing import Any

from django.core.management.base import BaseCommand

from milo.kube.store.resync import renew


class Command(BaseCommand):
    help = "Write a revision of each object whose manifest differs from its newest revision, as migrate does."

    def handle(self, **options: Any) -> None:
        self.stdout.write(f"{renew()} objects were renewed")
