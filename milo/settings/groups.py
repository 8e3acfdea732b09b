"""The settings of an installation, one frozen group a noun. docs/settings.md is generated from this module."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from milo.settings import values
from milo.settings.oidc import PROVIDER, Provider
from milo.settings.variables import variable

BASE_DIR = Path(__file__).resolve().parent.parent.parent
LANGUAGES = ("en", "de")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Hosts, TLS and threads."""

    secret_key: str | None = variable(
        "MILO_SECRET_KEY",
        values.KEY,
        None,
        "Signs sessions and links for passwords, and encrypts continue tokens. All processes need the same key.",
        shown="generated once and kept as `secret_key` in the data folder",
        secret=True,
    )
    secret_key_fallbacks: tuple[str, ...] = variable(
        "MILO_SECRET_KEY_FALLBACKS",
        values.KEYS,
        (),
        "Earlier values of `MILO_SECRET_KEY`, whose sessions, links and continue tokens stay valid. Remove them when"
        " these have expired: sessions last `MILO_SESSION_HOURS`, links for passwords three days.",
        shown="none",
        secret=True,
    )
    allowed_hosts: tuple[str, ...] = variable(
        "MILO_ALLOWED_HOSTS",
        values.HOSTS,
        ("127.0.0.1", "localhost", "[::1]"),
        "The host names of Milo. `*` is refused unless `MILO_DEBUG` is true.",
    )
    https_only: bool = variable(
        "MILO_HTTPS_ONLY",
        values.BOOLEAN,
        False,
        "Everything is served over TLS: cookies are sent over TLS only, plain HTTP is refused or redirected, and"
        " browsers use TLS for a year (HSTS).",
    )
    trusted_origins: tuple[str, ...] = variable(
        "MILO_TRUSTED_ORIGINS",
        values.ORIGINS,
        (),
        "Further origins of forms of the staff site, for a proxy that changes the host.",
        shown="none",
    )
    threads: int = variable(
        "MILO_THREADS",
        values.number(1, 1000),
        16,
        "Concurrent requests of one server process; others wait. Its pool has 4 more connections to PostgreSQL.",
    )
    waiting_requests: int = variable(
        "MILO_WAITING_REQUESTS",
        values.number(1, 100_000),
        50,
        "Requests that wait for one object in one process, besides a quarter of the threads that change it; 4 times as"
        " many wait for one namespace, 20 times as many in all. Any more are answered with 429.",
    )
    workers: int | None = variable(
        "MILO_WORKERS",
        values.number(1, 256),
        None,
        "The processes of `manage.py serve`.",
        shown="a process for each processor, at most 4; 1 with SQLite",
    )
    trusted_proxies: tuple[str, ...] = variable(
        "MILO_TRUSTED_PROXIES",
        values.NETWORKS,
        (),
        "The proxies before `manage.py serve`: what they say of the client (`X-Forwarded-For`, `X-Forwarded-Proto`) is"
        " believed.",
        shown="none",
    )
    keep_alive_seconds: int = variable(
        "MILO_KEEP_ALIVE_SECONDS",
        values.number(1, 3600),
        75,
        "An idle connection is closed after so long: longer than the proxy before keeps its own.",
    )
    header_seconds: int = variable(
        "MILO_HEADER_SECONDS",
        values.number(1, 300),
        10,
        "The head of a request, at most 32 KiB, must have arrived after so long.",
    )
    drain_seconds: int = variable(
        "MILO_DRAIN_SECONDS",
        values.number(0, 3600),
        5,
        "After SIGTERM readiness fails for so long before connections are refused, so that balancers notice.",
    )
    stop_seconds: int = variable(
        "MILO_STOP_SECONDS",
        values.number(1, 3600),
        30,
        "A process that serves has left so long after SIGTERM: what still runs is cut off.",
    )
    data_dir: Path = variable(
        "MILO_DATA_DIR",
        values.PATH,
        BASE_DIR / "var",
        "The folder for the files of the installation, readable by its owner only.",
        shown="`var` in the checkout",
    )
    debug: bool = variable(
        "MILO_DEBUG", values.BOOLEAN, False, "Django's debug pages, for development only: they show settings and data."
    )
    http_port: int = variable(
        "MILO_HTTP_PORT", values.number(0, 65535), 8000, "The port of `make up` without TLS; 0 selects a free one."
    )
    https_port: int = variable(
        "MILO_HTTPS_PORT", values.number(0, 65535), 8443, "The port of `make up` with TLS; 0 selects a free one."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """The database, the broker and the archive."""

    database_url: str | None = variable(
        "DATABASE_URL",
        values.DATABASE_URL,
        None,
        "The database.",
        shown="`milo.sqlite3` in the data folder",
        secret=True,
    )
    database_connect_seconds: int = variable(
        "MILO_DATABASE_CONNECT_SECONDS",
        values.number(1, 300),
        5,
        "How long a request or task waits for a connection to PostgreSQL. Then it is answered with 503.",
    )
    statement_timeout_seconds: int = variable(
        "MILO_STATEMENT_TIMEOUT_SECONDS",
        values.number(0, 86_400),
        30,
        "PostgreSQL ends a statement of a request after so long, and a transaction that has been idle for so long;"
        " 0 is no limit.",
    )
    background_timeout_seconds: int = variable(
        "MILO_BACKGROUND_TIMEOUT_SECONDS",
        values.number(0, 86_400),
        3600,
        "The same in workers and commands; 0 is no limit.",
    )
    lock_timeout_seconds: int = variable(
        "MILO_LOCK_TIMEOUT_SECONDS",
        values.number(0, 86_400),
        10,
        "PostgreSQL ends a statement that has waited for a lock for so long: a request is answered with 429, a task"
        " runs again at its next turn; 0 is no limit.",
    )
    broker_url: str = variable(
        "CELERY_BROKER_URL",
        values.BROKER_URL,
        "filesystem://",
        "The broker of background work. With `filesystem://` messages are files in the data folder, for processes of"
        " one machine.",
        secret=True,
    )
    archive_storage: str = variable(
        "MILO_ARCHIVE_STORAGE",
        values.DOTTED_PATH,
        "",
        "The Django storage class for bundles of archived accounts.",
        shown="files in `archive` of the data folder",
    )
    archive_options: dict[str, Any] | None = variable(
        "MILO_ARCHIVE_OPTIONS",
        values.JSON_OBJECT,
        None,
        "The arguments of `MILO_ARCHIVE_STORAGE`.",
        shown="none",
        secret=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """The mail server, and the sender and language of notices."""

    host: str = variable(
        "MILO_EMAIL_HOST",
        values.HOST,
        "",
        "The mail server.",
        shown="none: messages are files in `mail` of the data folder",
    )
    port: int = variable("MILO_EMAIL_PORT", values.number(1, 65535), 25, "The port of the mail server.")
    user: str = variable("MILO_EMAIL_USER", values.TEXT, "", "The user at the mail server; requires a password.")
    password: str | None = variable(
        "MILO_EMAIL_PASSWORD", values.TEXT, None, "The password at the mail server.", shown="none", secret=True
    )
    tls: bool = variable("MILO_EMAIL_TLS", values.BOOLEAN, False, "Use STARTTLS with the mail server.")
    sender: str = variable(
        "MILO_EMAIL_FROM",
        values.SENDER,
        "billing@milo.example",
        "The sender of notices, optionally with a name: `Billing <a@example.org>`.",
    )
    message_id_domain: str = variable(
        "MILO_MESSAGE_ID_DOMAIN", values.DOMAIN, "milo.example", "The domain in the Message-ID of notices."
    )
    notice_language: str = variable(
        "MILO_NOTICE_LANGUAGE",
        values.choice(*LANGUAGES),
        "en",
        "The language of notices to staff, and about accounts without a language.",
    )


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Keys and anchor of the ledger, and how long revisions are kept."""

    keys: Path | None = variable(
        "MILO_LEDGER_KEYS",
        values.PATH,
        None,
        "The folder of `signing.pem`, and of a `.pub` for each trusted key: those of earlier keys and of other hosts."
        " Back it up apart from the database.",
        shown="`ledger-keys` in the data folder",
    )
    signing_key: str | None = variable(
        "MILO_LEDGER_SIGNING_KEY",
        values.SIGNING_KEY,
        None,
        "The key that signs seals, the same on all hosts; `manage.py ledger key` prints a new one. Without one the"
        " worker does not start.",
        shown="`signing.pem` in `MILO_LEDGER_KEYS`, which development generates",
        secret=True,
    )
    heads: Path | None = variable(
        "MILO_LEDGER_HEADS",
        values.PATH,
        None,
        "The file to which `FileAnchor` appends.",
        shown="`ledger-heads.jsonl` in the data folder",
    )
    anchor: str = variable(
        "MILO_LEDGER_ANCHOR",
        values.DOTTED_PATH,
        "milo.ledger.anchors.FileAnchor",
        "Keeps the heads of the chain outside the database: `FileAnchor`, `WebhookAnchor` or `StorageAnchor` of"
        " `milo.ledger.anchors`, or a class of yours with `keep(heads)`.",
    )
    anchor_options: dict[str, Any] | None = variable(
        "MILO_LEDGER_ANCHOR_OPTIONS",
        values.JSON_OBJECT,
        None,
        "Arguments of the anchor: for the webhook `url` (https) and `token`, for the storage `backend` and `options`.",
        shown="none",
        secret=True,
    )
    change_log_retention_hours: int = variable(
        "MILO_CHANGE_LOG_RETENTION_HOURS",
        values.number(1, 876_000),
        168,
        "How far back a watch can begin and `kubectl events` reaches. History is separate and permanent.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """Decisions of the operator."""

    platform_country: str = variable(
        "MILO_PLATFORM_COUNTRY",
        values.COUNTRY,
        "",
        "Where the seller keeps the books. Unset disables purging and the e-invoice mandates of the seller's country.",
    )
    data_regions: tuple[str, ...] = variable(
        "MILO_DATA_REGIONS",
        values.REGIONS,
        (),
        "Where billing data can be kept; the first is the default. Accounts cannot request another region.",
        shown="none: every region is accepted",
    )
    retention_years: int = variable(
        "MILO_RETENTION_YEARS",
        values.number(0, 100),
        0,
        "The promised retention of closed accounts; 0 is as long as the law requires. Rules warn where the law requires"
        " more, and no purge is earlier than that.",
    )
    approval_days: int = variable(
        "MILO_APPROVAL_DAYS",
        values.number(1, 3650),
        14,
        "An undecided approval request expires after this time.",
    )
    reopen_window_days: int = variable(
        "MILO_REOPEN_WINDOW_DAYS", values.number(0, 3650), 90, "A closed account can be reopened for this time."
    )
    archive_after_days: int | None = variable(
        "MILO_ARCHIVE_AFTER_DAYS",
        values.number(0, 36_500),
        None,
        "A closed account is archived this long after closure, and never within the time to reopen.",
        shown="the days of `MILO_REOPEN_WINDOW_DAYS`",
    )
    net_days_without_approval: int = variable(
        "MILO_NET_DAYS_WITHOUT_APPROVAL",
        values.number(0, 365),
        60,
        "Payment terms with more net days need an approved ReviseTerms.",
    )
    usage_late_days: int = variable(
        "MILO_USAGE_LATE_DAYS",
        values.number(0, 3650),
        35,
        "Older usage events are accepted, and counted as late in the receipt.",
    )
    payment_profile_verifier: str = variable(
        "MILO_PAYMENT_PROFILE_VERIFIER",
        values.DOTTED_PATH,
        "billing.verifiers.FormVerifier",
        "The class that verifies payment profiles. The default checks only their form.",
    )
    focus_provider_name: str = variable(
        "MILO_FOCUS_PROVIDER_NAME", values.TEXT, "Milo", "The provider of the services in FOCUS exports."
    )
