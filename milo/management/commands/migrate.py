"""`migrate`, which installs the guards that it would otherwise be refused for lacking."""

from typing import Any

from django.core.management.commands import migrate

from milo import append_only


class Command(migrate.Command):
    def check(self, *args: Any, **kwargs: Any) -> None:
        with append_only.about_to_install():
            super().check(*args, **kwargs)
