"""Guards of identities and service users: which subject stands for whom, and who is a program, is never rewritten."""

from milo import append_only as guard
from milo.identity.models import Identity, PasswordLink, ServiceToken, ServiceUser

IDENTITY, SERVICE_USER, PASSWORD_LINK, TOKEN, LOG_IN = (
    f"identity_{name}" for name in ("identity", "serviceuser", "passwordlink", "servicetoken", "login")
)
USER = "auth_user"
# sessions and attempts that have ended; roles, identities and authenticators that a person no longer has
_GOING = (
    "django_session axes_accessattempt axes_accessattemptexpiration axes_accesslog axes_accessfailurelog"
    " auth_user_groups auth_user_user_permissions otp_totp_totpdevice identity_identity"
).split()
_LOGS_IN = "{row}.is_staff OR {row}.is_superuser OR {row}.password NOT LIKE '!%'"


def declare_guards() -> None:
    """Declare that an identity is never turned to another person, and that a program stays one and never logs in."""
    guard.deletable(*_GOING)
    guard.declare(
        "identity",
        *guard.fixed_as_said(Identity),
        guard.no_replace("identity_never_replaced", IDENTITY, ["id"], ["issuer", "subject"]),
        *guard.fixed_as_said(ServiceUser),
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
        *guard.fixed_as_said(PasswordLink),
        guard.no_delete("password_link_never_deleted", PASSWORD_LINK),
        guard.no_replace("password_link_never_replaced", PASSWORD_LINK, ["id"]),
        *guard.fixed_as_said(ServiceToken),
        guard.no_delete("token_never_deleted", TOKEN),
        guard.no_replace("token_never_replaced", TOKEN, ["id"], ["digest"]),
        *guard.as_written("log_in", LOG_IN, ["id"]),
    )
