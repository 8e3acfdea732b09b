"""Guards of identities and service users: which subject stands for whom, and who is a program, is never rewritten."""

from milo import append_only as guard

IDENTITY, SERVICE_USER, PASSWORD_LINK, LOG_IN = (
    f"identity_{name}" for name in ("identity", "serviceuser", "passwordlink", "login")
)
USER = "auth_user"
_LOGS_IN = "{row}.is_staff OR {row}.is_superuser OR {row}.password NOT LIKE '!%'"


def declare_guards() -> None:
    """Declare that an identity is never turned to another person, and that a program stays one and never logs in."""
    guard.declare(
        "identity",
        guard.fixed_columns("identity_fixed", IDENTITY, ["id", "user_id", "issuer", "subject", "created_at"]),
        guard.no_replace("identity_never_replaced", IDENTITY, ["id"], ["issuer", "subject"]),
        guard.fixed_columns("service_user_fixed", SERVICE_USER, ["user_id"]),
        guard.no_delete("service_user_never_deleted", SERVICE_USER),
        guard.no_replace("service_user_never_replaced", SERVICE_USER, ["user_id"]),
        # whoever had its password would act as somebody else
        guard.refuse(
            "service_user_never_logs_in",
            USER,
            "UPDATE",
            f"({_LOGS_IN.format(row='NEW')}) AND EXISTS (SELECT 1 FROM {SERVICE_USER} s WHERE s.user_id = NEW.id)",
            "a service user has no password and is neither staff nor superuser",
        ),
        # others could then issue the person's tokens
        guard.refuse(
            "service_user_made_of_nobody",
            SERVICE_USER,
            "INSERT",
            f"EXISTS (SELECT 1 FROM {USER} u WHERE u.id = NEW.user_id AND ({_LOGS_IN.format(row='u')}))",
            "a person does not become a service user",
        ),
        # who asked for it decides what the password may not decide
        guard.fixed_columns("password_link_fixed", PASSWORD_LINK, ["id", "user_id", "requested_by", "requested_at"]),
        guard.fixed_columns("password_link_used_once", PASSWORD_LINK, ["used_at"], once="OLD.used_at IS NOT NULL"),
        guard.no_delete("password_link_never_deleted", PASSWORD_LINK),
        guard.no_replace("password_link_never_replaced", PASSWORD_LINK, ["id"]),
        guard.refuse("log_in_never_changed", LOG_IN, "UPDATE", "TRUE", "rows stay as they were written"),
        guard.no_delete("log_in_never_deleted", LOG_IN),
        guard.no_replace("log_in_never_replaced", LOG_IN, ["id"]),
    )
