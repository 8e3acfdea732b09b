"""Guards of identities: which subject stands for whom is never rewritten."""

from milo import append_only as guard

IDENTITY = "identity_identity"


def declare_guards() -> None:
    """Declare that an identity is linked or unlinked, and never turned to another person."""
    guard.declare(
        "identity",
        guard.fixed_columns("identity_fixed", IDENTITY, ["id", "user_id", "issuer", "subject", "created_at"]),
        guard.no_replace("identity_never_replaced", IDENTITY, ["id"], ["issuer", "subject"]),
    )
