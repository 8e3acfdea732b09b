"""Rows of the access table for billing accounts and bindings."""

from milo.access import READ, Rule, declare
from projects.access import FINANCE_OPERATOR, STAFF_ROLES, WRITE
from projects.models import Membership

ACCOUNTS, BINDINGS = "billingaccounts", "billingaccountbindings"


def declare_rules() -> None:
    declare(Rule(role, kind, READ) for role in STAFF_ROLES for kind in (ACCOUNTS, BINDINGS))
    declare(
        Rule(role, kind, READ, organization=True) for role in Membership.Role.values for kind in (ACCOUNTS, BINDINGS)
    )
    declare(
        [
            Rule(FINANCE_OPERATOR, ACCOUNTS, WRITE),
            Rule(FINANCE_OPERATOR, BINDINGS, WRITE),
            Rule(Membership.Role.BILLING_ADMIN, ACCOUNTS, WRITE, organization=True),
            Rule(Membership.Role.BILLING_ADMIN, BINDINGS, WRITE, organization=True),
            Rule(Membership.Role.BILLING_USER, BINDINGS, WRITE, organization=True),
        ]
    )
