"""The sample users of `make up`: names, passwords, tokens and roles."""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from django.contrib.auth.models import Group, User

from milo import audit
from milo.access import Actor
from milo.dev.files import write_secret
from milo.identity.actors import actor_of
from milo.identity.tokens import issue_token, token_of
from projects.access import AUDITOR, CHARGE_REPORTER, FINANCE_APPROVER, FINANCE_OPERATOR, STAFF_ROLES, USAGE_REPORTER
from projects.models import Membership, Organization
from projects.services.memberships import grant

SETUP = Actor.system("development-setup")


@dataclass(frozen=True, slots=True)
class Person:
    """A sample user with a role across the platform (`group`) or in one organization.

    Staff may log in to the staff site; the others, such as systems that report charges and usage, use the API.
    """

    name: str
    group: str = ""
    organization: str = ""
    role: str = ""

    @property
    def is_staff(self) -> bool:
        return self.group in STAFF_ROLES

    @property
    def described(self) -> str:
        return self.group or f"{self.role} of {self.organization}"


PEOPLE = (
    Person("operator", group=FINANCE_OPERATOR),
    Person("requester", organization="acme-corp", role=Membership.Role.BILLING_ADMIN),
    Person("approver", group=FINANCE_APPROVER),
    Person("auditor", group=AUDITOR),
    Person("acme-admin", organization="acme-corp", role=Membership.Role.BILLING_ADMIN),
    Person("acme-viewer", organization="acme-corp", role=Membership.Role.BILLING_VIEWER),
    Person("other-admin", organization="other-org", role=Membership.Role.BILLING_ADMIN),
    Person("charge-reporter", group=CHARGE_REPORTER),
    Person("usage-reporter", group=USAGE_REPORTER),
)


def ensure_people(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Create missing sample users. Return the passwords of staff and the bearer tokens of all, by name.

    Both are random for each installation and stored in `folder`, readable by its owner only. Existing ones are kept: a
    password is set once, and a token is replaced only if the database does not have the stored one. The files are
    written before the commit, so that users in the database can always be recognized by them.
    """
    passwords_path, tokens_path = folder / "passwords.json", folder / "tokens.json"
    passwords, tokens = _read(passwords_path), _read(tokens_path)
    with audit.transaction():
        _make_people(passwords, tokens)
        write_secret(passwords_path, json.dumps(passwords, indent=2))
        write_secret(tokens_path, json.dumps(tokens, indent=2))
    return passwords, tokens


def _make_people(passwords: dict[str, str], tokens: dict[str, str]) -> None:
    for person in PEOPLE:
        # without an address they would get no notices of requests to decide
        defaults = {"is_staff": person.is_staff, "email": f"{person.name}@milo.example"}
        user, created = User.objects.get_or_create(username=person.name, defaults=defaults)
        if person.group:
            user.groups.add(Group.objects.get_or_create(name=person.group)[0])
        if person.is_staff and (created or person.name not in passwords):
            user.set_password(passwords.setdefault(person.name, secrets.token_urlsafe(12)))
            user.save()
        known = token_of(tokens.get(person.name, ""))
        if known is None or known.user != user:
            tokens[person.name] = issue_token(user, description="make up", actor=actor_of(user))[1]


def grant_roles() -> None:
    """Grant each sample user its role in an organization. The organizations must exist."""
    for person in PEOPLE:
        if person.organization:
            organization = Organization.objects.get(name=person.organization)
            grant(organization, User.objects.get(username=person.name), person.role, actor=SETUP)


def _read(path: Path) -> dict[str, str]:
    values: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    return values
