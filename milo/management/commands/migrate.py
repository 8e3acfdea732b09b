"""`migrate` beside a service that goes on, which ends with installing guards and owing the renewal of manifests.

Commands are refused while guards are missing, but not this one. It may be run at any time, and by several at once
(milo/migrating).
"""

from typing import Any

from django.core.management.commands import migrate
from django.db import DEFAULT_DB_ALIAS, connections

from milo import append_only
from milo.kube.store import resync
from milo.migrating import bursts, locks, old_models, owners, turns


class Command(migrate.Command):
    def check(self, *args: Any, **kwargs: Any) -> None:
        with append_only.about_to_install():
            super().check(*args, **kwargs)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["plan"] or options["check_unapplied"]:
            super().handle(*args, **options)
            return

        def say(line: str) -> None:
            if options["verbosity"] >= 1:
                self.stdout.write(line)
                self.stdout.flush()

        connection = connections[options["database"]]
        with owners.as_owner_alone(connection), turns.one_at_a_time(connection, say):
            with (
                locks.brief_waits(connection),
                bursts.in_bursts(connection, say),
                old_models.made_cheaply(),
                append_only.put_back_on_failure(connection),
            ):
                # what has been applied is known by its record, so each attempt goes on where the one before stopped
                locks.patiently(connection, lambda: self._attempt(*args, **options), what="migrations", say=say)
            # of a part of the tables nothing can be shown
            if options["prune"] or options["app_label"] or options["database"] != DEFAULT_DB_ALIAS:
                return
            # reads answer with the newest revision, which is of the version before
            if owed := resync.owe():
                say(
                    f"  objects of {len(owed)} kinds are compared with their manifests in the background;"
                    " manage.py renew_manifests does it at once"
                )

    def _attempt(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        # first, so that processes of the version before go on serving beside guards that are not theirs
        append_only.announce(connection)
        super().handle(*args, **options)
        # the first migrate has made the table in which this is said
        append_only.announce(connection)
