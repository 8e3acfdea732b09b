"""Rules of the access table for users, service tokens, password links, identities and token reviews."""

from milo.access import Actor, Rule, declare, grant_superusers

TOKENS, TOKEN_REVIEWS, IDENTITIES, PASSWORD_LINKS = "servicetokens", "tokenreviews", "identities", "passwordlinks"
LOG_INS, USERS = "logins", "users"
PERSONAL_DATA, REVEAL = "personaldata", "reveal"
PLATFORM_ADMIN = "platform-admin"
# like the cluster role system:auth-delegator of Kubernetes: a service that receives tokens may review them, no more
AUTH_DELEGATOR = "auth-delegator"


def declare_rules() -> None:
    """Add the rules to the access table. Called once at startup."""
    grant_superusers(PLATFORM_ADMIN)
    declare(
        [
            Rule(PLATFORM_ADMIN, USERS, ("get", "list")),
            Rule(PLATFORM_ADMIN, TOKENS, ("get", "list", "create", "delete")),
            Rule(PLATFORM_ADMIN, PASSWORD_LINKS, ("create",)),
            Rule(PLATFORM_ADMIN, IDENTITIES, ("get", "list", "create", "delete")),
            Rule(PLATFORM_ADMIN, PERSONAL_DATA, ("get",)),
            Rule(AUTH_DELEGATOR, TOKEN_REVIEWS, ("create",)),
        ]
    )


def reads_masked(actor: Actor) -> bool:
    """Return whether the actor reads personal data across the platform masked, and may only reveal them."""
    return actor.may("create", PERSONAL_DATA, None, action=REVEAL) and not actor.may("get", PERSONAL_DATA, None)
