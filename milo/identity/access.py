"""Rows of the access table for service tokens and for whoever may ask whose they are."""

from milo.access import Rule, declare

TOKENS, TOKEN_REVIEWS = "servicetokens", "tokenreviews"
PLATFORM_ADMIN = "platform-admin"
# as the cluster role system:auth-delegator of Kubernetes: for services that are sent tokens, and may do nothing else
AUTH_DELEGATOR = "auth-delegator"


def declare_rules() -> None:
    declare(
        [
            Rule(PLATFORM_ADMIN, TOKENS, ("get", "list", "create", "delete")),
            Rule(AUTH_DELEGATOR, TOKEN_REVIEWS, ("create",)),
        ]
    )
