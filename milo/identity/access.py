"""Rows of the access table for service tokens, identities, log-ins, and for whoever may ask whose a token is."""

from milo.access import Rule, declare

TOKENS, TOKEN_REVIEWS, IDENTITIES, PASSWORD_LINKS = "servicetokens", "tokenreviews", "identities", "passwordlinks"
LOG_INS = "logins"
PLATFORM_ADMIN = "platform-admin"
# who controls the work of others reads who came in, and who was made what
CONTROLLERS = ("auditor", "finance-approver")
# as the cluster role system:auth-delegator of Kubernetes: for services that are sent tokens, and may do nothing else
AUTH_DELEGATOR = "auth-delegator"


def declare_rules() -> None:
    declare(Rule(role, LOG_INS, ("get", "list")) for role in CONTROLLERS)
    declare(
        [
            Rule(PLATFORM_ADMIN, TOKENS, ("get", "list", "create", "delete")),
            Rule(PLATFORM_ADMIN, PASSWORD_LINKS, ("create",)),
            Rule(PLATFORM_ADMIN, IDENTITIES, ("get", "list", "create", "delete")),
            Rule(AUTH_DELEGATOR, TOKEN_REVIEWS, ("create",)),
        ]
    )
