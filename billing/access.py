"""Rules of the access table for billing: which role may use which verb and action on which kind."""

from milo.access import READ, Rule, declare, declare_decisions
from projects.access import (
    CHARGE_REPORTER,
    FINANCE_APPROVER,
    FINANCE_OPERATOR,
    ORGANIZATIONS,
    PROJECTS,
    STAFF_ROLES,
    USAGE_REPORTER,
    WRITE,
)
from projects.models import Membership

ACCOUNTS, BINDINGS = "billingaccounts", "billingaccountbindings"
APPROVALS, CHARGES, NOTICES = "approvalrequests", "charges", "notices"
USAGE_EVENTS, PAYER_CHANGES = "usageevents", "payerchanges"
AFFILIATIONS = "billingaccountaffiliations"
KINDS = (ACCOUNTS, AFFILIATIONS, BINDINGS, APPROVALS, CHARGES, PAYER_CHANGES)
REQUESTER_ACTIONS = ("withdraw", "renew", "takeover")
LOCK_PAYER, UNLOCK_PAYER = "lockpayer", "unlockpayer"
PAYER_LOCKS = (LOCK_PAYER, UNLOCK_PAYER)
CANCEL, RETRY = "cancel", "retry"
PLANNER_ACTIONS = (CANCEL, RETRY)


def declare_rules() -> None:
    """Declare what the roles of the platform and of organizations may do with the kinds of billing."""
    declare_decisions("approve")
    declare(Rule(role, kind, READ) for role in STAFF_ROLES for kind in KINDS)
    declare(Rule(role, NOTICES, ("get", "list")) for role in STAFF_ROLES)
    declare(Rule(role, kind, READ, organization=True) for role in Membership.Role.values for kind in KINDS)
    declare(
        [
            Rule(FINANCE_OPERATOR, ACCOUNTS, WRITE, actions=("suspend", "resolvesuspension", "hold", "closeusage")),
            Rule(FINANCE_OPERATOR, APPROVALS, WRITE, actions=REQUESTER_ACTIONS),
            Rule(FINANCE_OPERATOR, NOTICES, actions=("requeue",)),
            Rule(FINANCE_APPROVER, APPROVALS, (), actions=("approve", "reject")),
            Rule(Membership.Role.BILLING_ADMIN, APPROVALS, WRITE, actions=REQUESTER_ACTIONS, organization=True),
            Rule(CHARGE_REPORTER, CHARGES, (*READ, *WRITE), actions=("settle",)),
            Rule(CHARGE_REPORTER, ORGANIZATIONS, ("get",)),
            Rule(USAGE_REPORTER, USAGE_EVENTS, ("create",)),
            Rule(FINANCE_OPERATOR, BINDINGS, WRITE),
            Rule(FINANCE_OPERATOR, PROJECTS, actions=PAYER_LOCKS),
            Rule(Membership.Role.BILLING_ADMIN, PROJECTS, actions=PAYER_LOCKS, organization=True),
            Rule(FINANCE_OPERATOR, PAYER_CHANGES, WRITE, actions=PLANNER_ACTIONS),
            Rule(FINANCE_OPERATOR, AFFILIATIONS, WRITE, actions=(CANCEL,)),
            Rule(Membership.Role.BILLING_ADMIN, ACCOUNTS, WRITE, organization=True),
            Rule(Membership.Role.BILLING_ADMIN, AFFILIATIONS, WRITE, actions=(CANCEL,), organization=True),
            Rule(Membership.Role.BILLING_ADMIN, BINDINGS, WRITE, organization=True),
            Rule(Membership.Role.BILLING_USER, BINDINGS, WRITE, organization=True),
            Rule(Membership.Role.BILLING_ADMIN, PAYER_CHANGES, WRITE, actions=PLANNER_ACTIONS, organization=True),
            Rule(Membership.Role.BILLING_USER, PAYER_CHANGES, WRITE, actions=PLANNER_ACTIONS, organization=True),
        ]
    )
