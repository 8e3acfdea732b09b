"""Database guards of credentials: whose they are is immutable, and service users never log in."""

from milo import append_only as guard
from milo.identity.models import Identity, PasswordLink, SavedFilter, ServiceToken, ServiceUser

IDENTITY, SERVICE_USER, PASSWORD_LINK, TOKEN, LOG_IN = (
    f"identity_{name}" for name in ("identity", "serviceuser", "passwordlink", "servicetoken", "login")
)
USER = "auth_user"
# ended sessions and attempts to log in; saved filters; roles, identities and authenticators taken from a person
_DELETABLE = (
    "django_session axes_accessattempt axes_accessattemptexpiration axes_accesslog axes_accessfailurelog"
    " auth_user_groups auth_user_user_permissions otp_totp_totpdevice identity_identity"
    " identity_savedfilter"
).split()
_LOGS_IN = "{row}.is_staff OR {row}.is_superuser OR {row}.password NOT LIKE '!%'"


def declare_guards() -> None:
    """Declare the guards. Called once at startup."""
    guard.deletable(*_DELETABLE)
    guard.declare(
        "identity",
        *guard.fixed_as_said(Identity),
        guard.no_replace("identity_never_replaced", IDENTITY, ["id"], ["issuer", "subject"]),
        *guard.fixed_as_said(ServiceUser),
        guard.no_delete("service_user_never_deleted", SERVICE_USER),
        guard.no_replace("service_user_never_replaced", SERVICE_USER, ["user_id"]),
        # with a password a person could act as the program
        guard.refuse(
            "service_user_never_logs_in",
            USER,
            "UPDATE",
            f"({_LOGS_IN.format(row='NEW')}) AND EXISTS (SELECT 1 FROM {SERVICE_USER} s WHERE s.user_id = NEW.id)",
            "a service user has no password and is neither staff nor superuser",
        ),
        # tokens of a service user are issued by others; nobody may issue a token of a person
        guard.refuse(
            "service_user_made_of_nobody",
            SERVICE_USER,
            "INSERT",
            f"EXISTS (SELECT 1 FROM {USER} u WHERE u.id = NEW.user_id AND ({_LOGS_IN.format(row='u')}))",
            "a person does not become a service user",
        ),
        # `requested_by` decides what the person may not approve (makers.py)
        *guard.fixed_as_said(PasswordLink),
        guard.no_delete("password_link_never_deleted", PASSWORD_LINK),
        guard.no_replace("password_link_never_replaced", PASSWORD_LINK, ["id"]),
        *guard.fixed_as_said(ServiceToken),
        guard.no_delete("token_never_deleted", TOKEN),
        guard.no_replace("token_never_replaced", TOKEN, ["id"], ["digest"]),
        *guard.fixed_as_said(SavedFilter),
        guard.no_replace("saved_filter_never_replaced", "identity_savedfilter", ["id"], ["person_id", "page", "name"]),
        *guard.as_written("log_in", LOG_IN, ["id"]),
    )
