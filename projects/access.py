"""Roles of the platform, and the rules of the access table for organizations and projects."""

from milo.access import READ, Rule, declare, grant_superusers
from milo.identity.access import LOG_INS, PERSONAL_DATA, REVEAL, TOKENS, USERS
from milo.identity.actors import register_organization_roles
from projects.models import Membership

ORGANIZATIONS, PROJECTS = "organizations", "projects"
FINANCE_OPERATOR, FINANCE_APPROVER, AUDITOR = "finance-operator", "finance-approver", "auditor"
USAGE_REPORTER, CHARGE_REPORTER = "usage-reporter", "charge-reporter"
PLATFORM_ROLES = (FINANCE_OPERATOR, FINANCE_APPROVER, AUDITOR, USAGE_REPORTER, CHARGE_REPORTER)
STAFF_ROLES = (FINANCE_OPERATOR, FINANCE_APPROVER, AUDITOR)
# roles that control the work of others may read log-ins and changes of roles
CONTROLLERS = (AUDITOR, FINANCE_APPROVER)
WRITE = ("create", "update", "patch")
GRANT_ROLE, REVOKE_ROLE = "grantrole", "revokerole"
ROLES = (GRANT_ROLE, REVOKE_ROLE)


def declare_rules() -> None:
    """Declare what the roles of the platform and of organizations may do with organizations and projects."""
    grant_superusers(*STAFF_ROLES)
    register_organization_roles("memberships__organization_id", "memberships__role")
    declare(Rule(role, LOG_INS, ("get", "list")) for role in CONTROLLERS)
    # who has which role, and which tokens; no page shows a secret
    declare(Rule(AUDITOR, resource, ("get", "list")) for resource in (USERS, TOKENS))
    declare(Rule(role, kind, READ) for role in STAFF_ROLES for kind in (ORGANIZATIONS, PROJECTS))
    declare(
        Rule(role, kind, READ, organization=True)
        for role in Membership.Role.values
        for kind in (ORGANIZATIONS, PROJECTS)
    )
    declare(
        [
            # whose work is with addresses and tax numbers; an auditor's rarely is
            Rule(FINANCE_OPERATOR, PERSONAL_DATA, ("get",)),
            Rule(FINANCE_APPROVER, PERSONAL_DATA, ("get",)),
            Rule(AUDITOR, PERSONAL_DATA, actions=(REVEAL,)),
            Rule(FINANCE_OPERATOR, ORGANIZATIONS, WRITE, actions=ROLES),
            Rule(FINANCE_OPERATOR, PROJECTS, WRITE, actions=("archive",)),
            Rule(Membership.Role.BILLING_ADMIN, ORGANIZATIONS, ("update", "patch"), actions=ROLES, organization=True),
            Rule(Membership.Role.BILLING_ADMIN, PROJECTS, WRITE, actions=("archive",), organization=True),
            Rule(Membership.Role.BILLING_USER, PROJECTS, WRITE, organization=True),
        ]
    )
