"""The people of the soak. Milo makes them: the script runs in `manage.py shell`, and prints their tokens as JSON.

People issue tokens for themselves on the staff site, which is slow to drive by HTTP. All else is done by the API.
"""

ORGANIZATIONS = 4
APPROVERS = 3
OPERATOR, AUDITOR, REPORTER, BOTH = "operator", "auditor", "reporter", "both"
MAIL_DOMAIN = "soak.example"


def admin(organization: str) -> str:
    """Return the name of the billing-admin of an organization."""
    return f"admin-{organization}"


def approvers() -> list[str]:
    return [f"approver-{number}" for number in range(APPROVERS)]


def organizations() -> list[str]:
    return [f"org-{number}" for number in range(ORGANIZATIONS)]


def address(person: str) -> str:
    return f"{person}@{MAIL_DOMAIN}"


def groups() -> dict[str, list[str]]:
    """Return the roles across the platform by person; `both` requests and approves, so never its own."""
    people = {person: ["finance-approver"] for person in approvers()}
    people |= {OPERATOR: ["finance-operator"], AUDITOR: ["auditor"], REPORTER: ["usage-reporter"]}
    people |= {BOTH: ["finance-operator", "finance-approver"]}
    return people | {admin(organization): [] for organization in organizations()}


def script() -> str:
    """Return the Python script that makes the people."""
    return f"""
import json
from django.contrib.auth.models import Group, User
from milo.identity.actors import actor_of
from milo.identity.tokens import issue_token
tokens = {{}}
for name, groups in {groups()!r}.items():
    user = User.objects.create_user(name, email=name + "@{MAIL_DOMAIN}")
    user.groups.set([Group.objects.get_or_create(name=group)[0] for group in groups])
    tokens[name] = issue_token(user, description="soak", actor=actor_of(user))[1]
print("TOKENS " + json.dumps(tokens))
"""
