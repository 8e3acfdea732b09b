"""Reset the second factor of a person who has lost it."""

from typing import Any

from django.core.management.base import CommandParser

from milo.identity.second_factor import reset
from milo.management.shell import ActionCommand, user_named


class Command(ActionCommand):
    help = "Remove the authenticator of a person who has lost it; the next log-in sets up another."

    def add_arguments(self, parser: CommandParser) -> None:
        subcommands = parser.add_subparsers(dest="subcommand", required=True)
        resetting = subcommands.add_parser("reset", help="end all sessions of a person, and remove the authenticator")
        resetting.add_argument("username")
        resetting.add_argument("--reason", required=True, help="why; it is kept in the history and the log")

    def _reset(self, options: dict[str, Any]) -> None:
        user = user_named(options["username"])
        reset(user, why=options["reason"], by=None)
        self.stdout.write(f"{user.get_username()} sets up a second factor at the next log-in")
