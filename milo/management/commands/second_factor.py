"""Reset the second factor of a person who has lost it."""

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from milo.errors import Refused
from milo.identity.second_factor import reset


class Command(BaseCommand):
    help = "Remove the authenticator of a person who has lost it; the next log-in sets up another."

    def add_arguments(self, parser: CommandParser) -> None:
        subcommands = parser.add_subparsers(dest="subcommand", required=True)
        resetting = subcommands.add_parser("reset", help="end all sessions of a person, and remove the authenticator")
        resetting.add_argument("username")
        resetting.add_argument("--reason", required=True, help="why; it is kept in the history and the log")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"there is no user {options['username']}")
        try:
            reset(user, why=options["reason"], by=None)
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"{user.get_username()} sets up a second factor at the next log-in")
