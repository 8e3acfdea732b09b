"""Grant, revoke and list the roles of people in an organization."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from milo.access import Actor
from milo.errors import Refused
from projects.models import Membership, Organization
from projects.services.memberships import grant, members, revoke, user_named

SHELL = Actor.system("shell")


class Command(BaseCommand):
    help = "Grant, revoke and list the roles of people in an organization."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        for action, text in (("grant", "grant a user a role"), ("revoke", "revoke it, from the next request on")):
            command = actions.add_parser(action, help=text)
            command.add_argument("organization")
            command.add_argument("user")
            command.add_argument("role", choices=Membership.Role.values)
            command.add_argument("--reason", default="", required=action == "revoke", help="why; kept in the history")
            if action == "revoke":
                command.add_argument(
                    "--allow-no-billing-admin", action="store_true", help="even if no active billing-admin is left"
                )
        actions.add_parser("list", help="the roles held: user, role, since, by whom").add_argument("organization")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = Organization.objects.filter(name=options["organization"]).first()
        if organization is None:
            raise CommandError(f"there is no organization {options['organization']}")
        try:
            getattr(self, f"_{options['action']}")(organization, options)
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal

    def _grant(self, organization: Organization, options: dict[str, Any]) -> None:
        user = user_named(options["user"])
        grant(organization, user, options["role"], why=options["reason"], actor=SHELL)
        self.stdout.write(f"{user} is {options['role']} of {organization}")

    def _revoke(self, organization: Organization, options: dict[str, Any]) -> None:
        user = user_named(options["user"])
        revoke(
            organization,
            user,
            options["role"],
            why=options["reason"],
            allow_no_billing_admin=options["allow_no_billing_admin"],
            actor=SHELL,
        )
        self.stdout.write(f"{user} is no longer {options['role']} of {organization}")

    def _list(self, organization: Organization, options: dict[str, Any]) -> None:
        for held in members(organization):
            since = f"{held.granted_at.isoformat()}\t{held.granted_by}"
            self.stdout.write(f"{held.user}\t{held.role}\t{since}")
