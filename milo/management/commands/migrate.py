"""`migrate`, which installs the guards that it would otherwise be refused for lacking, and renews manifests."""

from typing import Any

from django.core.management.commands import migrate
from django.db import DEFAULT_DB_ALIAS

from milo import append_only
from milo.kube.store.resync import renew


class Command(migrate.Command):
    def check(self, *args: Any, **kwargs: Any) -> None:
        with append_only.about_to_install():
            super().check(*args, **kwargs)

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        looks_only = options["plan"] or options["check_unapplied"] or options["prune"]
        # of a part of the tables nothing can be shown
        if looks_only or options["app_label"] or options["database"] != DEFAULT_DB_ALIAS:
            return
        # reads answer with the newest revision, which is of the version before
        renewed = renew()
        if renewed and options["verbosity"] >= 1:
            self.stdout.write(f"  {renewed} objects are shown differently by now and were renewed")
