"""Rows of the access table for service tokens, identities, log-ins, and for whoever may ask whose a token is."""

from milo.access import Rule, declare, grant_superusers

TOKENS, TOKEN_REVIEWS, IDENTITIES, PASSWORD_LINKS = "servicetokens", "tokenreviews", "identities", "passwordlinks"
LOG_INS = "logins"
PLATFORM_ADMIN = "platform-admin"
# as the cluster role system:auth-delegator of Kubernetes: for services that are sent tokens, and may do nothing else
AUTH_DELEGATOR = "auth-delegator"


def declare_rules() -> None:
    grant_superusers(PLATFORM_ADMIN)
    declare(
        [
            Rule(PLATFORM_ADMIN, TOKENS, ("get", "list", "create", "delete")),
            Rule(PLATFORM_ADMIN, PASSWORD_LINKS, ("create",)),
            Rule(PLATFORM_ADMIN, IDENTITIES, ("get", "list", "create", "delete")),
            Rule(AUTH_DELEGATOR, TOKEN_REVIEWS, ("create",)),
        ]
    )
