"""Issue, list and revoke service tokens."""

from datetime import timedelta
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from milo.identity.models import ServiceToken
from milo.identity.service_users import create_service_user
from milo.identity.tokens import issue_token, revoke_token
from milo.management.shell import SHELL, ActionCommand, user_named


class Command(ActionCommand):
    help = "Issue, list and revoke the bearer tokens with which people and programs use the API."

    def add_arguments(self, parser: CommandParser) -> None:
        subcommands = parser.add_subparsers(dest="subcommand", required=True)
        issue = subcommands.add_parser("issue", help="print a new bearer secret, which is shown only once")
        issue.add_argument("username", help="the service user of the token; people issue their own")
        issue.add_argument("--description", default="", help="what it is for")
        issue.add_argument("--days", type=int, help="how long it is valid; the maximum by default")
        issue.add_argument("--scope", action="append", help="a resource (plural) it may change; repeat for more")
        issue.add_argument("--read-only", action="store_true", help="it may change nothing")
        service_user = subcommands.add_parser(
            "service-user", help="create a user that is a program, without a password"
        )
        service_user.add_argument("username", help="its name")
        service_user.add_argument("--description", default="", help="what it is for")
        listing = subcommands.add_parser("list", help="list tokens: id, beginning, user, end, last use")
        listing.add_argument("username", nargs="?", help="of this user only")
        revoke = subcommands.add_parser("revoke", help="revoke a token; it is refused from the next request on")
        revoke.add_argument("id", type=int, help="as the list shows it")

    def _issue(self, options: dict[str, Any]) -> None:
        user = user_named(options["username"])
        ends = timezone.now() + timedelta(days=options["days"]) if options["days"] else None
        scopes = [] if options["read_only"] else options["scope"]
        _token, secret = issue_token(
            user, description=options["description"], expires_at=ends, scopes=scopes, actor=SHELL
        )
        self.stdout.write(secret)

    def _service_user(self, options: dict[str, Any]) -> None:
        created = create_service_user(options["username"], description=options["description"], actor=SHELL)
        self.stdout.write(f"{created} is a service user; give it its roles, then issue a token")

    def _list(self, options: dict[str, Any]) -> None:
        tokens = ServiceToken.objects.select_related("user").order_by("pk")
        if options["username"]:
            tokens = tokens.filter(user__username=options["username"])
        for token in tokens:
            state = "revoked" if token.revoked_at else f"until {token.expires_at or 'revoked'}"
            used = token.last_used_at or "never"
            self.stdout.write(
                f"{token.pk}\t{token.hint}…\t{token.user}\t{state}\tlast used: {used}\t{token.description}"
            )

    def _revoke(self, options: dict[str, Any]) -> None:
        token = revoke_token(options["id"], actor=SHELL)
        self.stdout.write(f"{token.hint}… of {token.user} is revoked")
