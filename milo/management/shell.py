"""Shared by the commands that change the ledger from a shell."""

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from milo.access import Actor
from milo.errors import Refused

SHELL = Actor.system("shell")


class ActionCommand(BaseCommand):
    """A command whose first word is its subcommand; the method `_<subcommand>` handles it with the options.

    A refusal of the service ends the command as its error.
    """

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['subcommand'].replace('-', '_')}")(options)
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal


def user_named(username: str) -> User:
    """Return the user of that name. Raises `CommandError` where there is none."""
    user = User.objects.filter(username=username).first()
    if user is None:
        raise CommandError(f"there is no user {username}")
    return user
