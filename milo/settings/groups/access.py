"""Who is let in, and for how long."""

from dataclasses import dataclass

from milo.settings import values
from milo.settings.oidc import PROVIDER, Provider
from milo.settings.variables import variable


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Tokens, sessions, second factors and the identity provider."""

    requests_per_minute: int = variable(
        "MILO_REQUESTS_PER_MINUTE",
        values.number(0, 10_000_000),
        6000,
        "Requests a minute of one service token, or of one person of the provider, in each process; 0 is no limit.",
    )
    token_longest_days: int = variable(
        "MILO_TOKEN_LONGEST_DAYS",
        values.number(0, 36_500),
        365,
        "The maximum validity of a new service token, and the default; 0 is no limit. Existing tokens keep their end.",
    )
    session_idle_minutes: int = variable(
        "MILO_SESSION_IDLE_MINUTES",
        values.number(1, 525_600),
        30,
        "A session of the staff site ends after this time without a request, to the minute.",
    )
    session_hours: int = variable(
        "MILO_SESSION_HOURS", values.number(1, 8760), 12, "A session of the staff site ends this long after the log-in."
    )
    second_factor_staff: bool = variable(
        "MILO_SECOND_FACTOR_STAFF", values.BOOLEAN, False, "All staff need a one-time password after the log-in."
    )
    second_factor_approvers: bool = variable(
        "MILO_SECOND_FACTOR_APPROVERS", values.BOOLEAN, False, "Everybody who may approve needs one, superusers too."
    )
    oidc: Provider | None = variable(
        "MILO_OIDC",
        PROVIDER,
        None,
        "The OpenID Connect provider whose tokens the API accepts. Further fields: `username_claim` (`sub`),"
        " `groups_claim` (`groups`), `groups` (from group to role across the platform), `clock_skew_seconds` (60); for"
        " the staff site `client_id`, `client_secret`, `authorization_url` and `token_url`. Addresses are https.",
        shown="none",
        secret=True,
    )
