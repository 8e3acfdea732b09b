"""List, link and unlink identities at the OpenID Connect provider."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from milo.identity import oidc
from milo.identity.identities import link, unlink
from milo.identity.models import Identity
from milo.management.shell import SHELL, ActionCommand, user_named


class Command(ActionCommand):
    help = "List, link and unlink subjects of the OpenID Connect provider."

    def add_arguments(self, parser: CommandParser) -> None:
        subcommands = parser.add_subparsers(dest="subcommand", required=True)
        linking = subcommands.add_parser("link", help="link a subject to an existing user")
        linking.add_argument("username", help="the user to link")
        linking.add_argument("subject", help="the claim sub of the person's tokens")
        linking.add_argument("--issuer", help="the claim iss; that of MILO_OIDC by default")
        linking.add_argument("--reason", required=True, help="why; it stays in the history")
        unlinking = subcommands.add_parser("unlink", help="remove the link of a subject")
        unlinking.add_argument("id", type=int, help="as the list shows it")
        unlinking.add_argument("--reason", required=True, help="why; it stays in the history")
        listing = subcommands.add_parser("list", help="list identities: id, user, subject, issuer, since when")
        listing.add_argument("username", nargs="?", help="of this user only")

    def _link(self, options: dict[str, Any]) -> None:
        user = user_named(options["username"])
        provider = oidc.provider()
        issuer = options["issuer"] or (provider.issuer if provider else None)
        if not issuer:
            raise CommandError("there is no provider in MILO_OIDC: name the issuer with --issuer")
        identity = link(user, issuer, options["subject"], why=options["reason"], actor=SHELL)
        self.stdout.write(f"{identity.subject} of {identity.issuer} stands for {user.get_username()}")

    def _unlink(self, options: dict[str, Any]) -> None:
        unlink(options["id"], why=options["reason"], actor=SHELL)
        self.stdout.write(f"identity {options['id']} stands for nobody")

    def _list(self, options: dict[str, Any]) -> None:
        identities = Identity.objects.select_related("user").order_by("pk")
        if options["username"]:
            identities = identities.filter(user__username=options["username"])
        for identity in identities:
            facts = (identity.pk, identity.user.get_username(), identity.subject, identity.issuer, identity.created_at)
            self.stdout.write("\t".join(map(str, facts)))
