"""Settings, read from the environment; the defaults are a single machine with SQLite."""

import json
import os
import secrets
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import dj_database_url
from celery.schedules import crontab
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from django.utils.translation import gettext_lazy as _

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(os.environ.get("MILO_DATA_DIR") or BASE_DIR / "var").absolute()
DEBUG = os.environ.get("MILO_DEBUG") == "1"


# requests that are worked on at once; more wait their turn
MILO_THREADS = 16


def _secret_key() -> str:
    """The key of the environment, else one made once and kept beside the embedded database."""
    if key := os.environ.get("MILO_SECRET_KEY"):
        return key
    path = DATA_DIR / "secret_key"
    if not path.exists():
        try:
            DATA_DIR.mkdir(parents=True, exist_ok=True)
            # whole at once, and never over one that another process made meanwhile
            new = path.with_name(f"secret_key.{os.getpid()}")
            new.touch(0o600)
            new.write_text(secrets.token_urlsafe(50))
            with suppress(FileExistsError):
                path.hardlink_to(new)
            new.unlink()
        except OSError as error:
            raise ImproperlyConfigured(f"MILO_DATA_DIR must name a folder that can be written: {error}") from error
    return path.read_text()


def _database(url: str) -> dict[str, Any]:
    try:
        config: dict[str, Any] = {**dj_database_url.parse(url)}
    except ValueError as error:
        raise ImproperlyConfigured("DATABASE_URL must begin with sqlite:// or postgresql://") from error
    options = config.setdefault("OPTIONS", {})
    if config["ENGINE"].endswith("sqlite3"):
        # traps.md: with SQLite's defaults 16 threads meet "database is locked"
        options |= {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL",
        }
        # opening the file took longer than all else that a read does
        config["CONN_MAX_AGE"] = 600
    elif config["ENGINE"].endswith("postgresql"):
        options |= {
            # watches borrow connections too, and hold none
            "pool": {"min_size": 1, "max_size": MILO_THREADS + 4, "timeout": 20},
            # a statement that a connection has seen 5 times is planned once and for all
            "server_side_binding": True,
            "prepare_threshold": 5,
        }
    else:
        raise ImproperlyConfigured("DATABASE_URL must begin with sqlite:// or postgresql://")
    return config


def _json_object(variable: str) -> dict[str, Any]:
    try:
        value = json.loads(os.environ.get(variable) or "{}")
    except ValueError as error:
        raise ImproperlyConfigured(f"{variable} must be a JSON object: {error}") from error
    if not isinstance(value, dict):
        raise ImproperlyConfigured(f"{variable} must be a JSON object")
    return value


def _number(variable: str, default: int) -> int:
    try:
        return int(os.environ.get(variable) or default)
    except ValueError as error:
        raise ImproperlyConfigured(f"{variable} must be a whole number") from error


SECRET_KEY = _secret_key()
ALLOWED_HOSTS = os.environ.get("MILO_ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]").split(",")
# everything is served over TLS; `make up` has the staff site without, on this machine only
HTTPS_ONLY = os.environ.get("MILO_HTTPS_ONLY") == "1"
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS_ONLY
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS_ONLY else 0
# probes and scrapers inside the cluster come without
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$", r"^metrics$"]
# other hosts of the domain, and lists in browsers, are for its owner to decide
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
CSRF_TRUSTED_ORIGINS = [o for o in os.environ.get("MILO_TRUSTED_ORIGINS", "").split(",") if o]
DATABASES = {"default": _database(os.environ.get("DATABASE_URL") or f"sqlite:///{DATA_DIR}/milo.sqlite3")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "milo.apps.MiloConfig",
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "unfold.contrib.simple_history",
    "milo.apps.StaffSiteConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "simple_history",
    "axes",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "milo.ledger",
    "milo.kube",
    "milo.identity",
    "projects",
    "billing",
]
MIDDLEWARE = [
    "milo.provenance.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "milo.admin.content_security.ContentSecurityMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "milo.urls"
ASGI_APPLICATION = "milo.asgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
# a person at one address who fails too often waits; the API has tokens instead of passwords
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_ON_SUCCESS = True
# nobody keeps a person out by going on
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_LOCKOUT_CALLABLE = "milo.admin.lockout.locked_out"
AXES_USERNAME_CALLABLE = "milo.admin.lockout.counted_name"
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = AXES_VERBOSE = False
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

STORAGES: dict[str, Any] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "archive": {
        "BACKEND": os.environ["MILO_ARCHIVE_STORAGE"],
        "OPTIONS": _json_object("MILO_ARCHIVE_OPTIONS"),
    }
    if os.environ.get("MILO_ARCHIVE_STORAGE")
    else {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": DATA_DIR / "archive", "file_permissions_mode": 0o600},
    },
}

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("de", _("German"))]
# of notices to staff, and about accounts that prefer no language
MILO_NOTICE_LANGUAGE = os.environ.get("MILO_NOTICE_LANGUAGE", LANGUAGE_CODE)
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = "milo.formats"

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS = True

UNFOLD = {
    "SITE_TITLE": "Milo Billing Accounts",
    "SITE_HEADER": "Milo Billing Accounts",
    "SITE_ICON": lambda request: static("milo/favicon.svg"),
    "SITE_URL": None,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("milo/favicon.svg")}],
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": False,
    "STYLES": [lambda request: static("milo/admin.css")],
    "SCRIPTS": [lambda request: static("milo/admin.js")],
    "SIDEBAR": {"navigation": "milo.admin.site.navigation"},
    "COLORS": {
        "primary": {
            "50": "oklch(97% .014 254.604)",
            "100": "oklch(93.2% .032 255.585)",
            "200": "oklch(88.2% .059 254.128)",
            "300": "oklch(80.9% .105 251.813)",
            "400": "oklch(70.7% .165 254.624)",
            "500": "oklch(67% .19 257)",
            "600": "oklch(54.6% .245 262.881)",
            "700": "oklch(48.8% .243 264.376)",
            "800": "oklch(42.4% .199 265.638)",
            "900": "oklch(37.9% .146 265.522)",
            "950": "oklch(28.2% .091 267.935)",
        }
    },
}

DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["milo.identity.authentication.BearerAuthentication"],
    "DEFAULT_SCHEMA_CLASS": "milo.kube.openapi.schema.KubeSchema",
    "EXCEPTION_HANDLER": "milo.kube.status.exception_handler",
    # the server says who asks (uvicorn --forwarded-allow-ips), a header that anybody may send does not
    "NUM_PROXIES": 0,
    # the API conventions have no ?format=
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Milo billing accounts",
    "DESCRIPTION": (
        "Who pays for what, since when, and who approved it. The API follows the conventions of the Kubernetes API, "
        "so that kubectl drives it; plain HTTP clients send JSON with a bearer token. Unknown fields are refused, "
        "and every refusal is a Status object that names its causes."
    ),
    "VERSION": "v1alpha1",
    "POSTPROCESSING_HOOKS": ["milo.kube.openapi.documents.finish"],
    "COMPONENT_SPLIT_PATCH": False,
    # a component is what users write as well
    "COMPONENT_NO_READ_ONLY_REQUIRED": True,
    "ENFORCE_NON_BLANK_FIELDS": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "SORT_OPERATION_PARAMETERS": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    # Swagger UI would ask a public validator for its badge
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "persistAuthorization": False, "validatorUrl": None},
}

EMAIL_HOST = os.environ.get("MILO_EMAIL_HOST", "")
EMAIL_PORT = _number("MILO_EMAIL_PORT", 25)
EMAIL_HOST_USER = os.environ.get("MILO_EMAIL_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("MILO_EMAIL_PASSWORD", "")
EMAIL_USE_TLS = os.environ.get("MILO_EMAIL_TLS") == "1"
EMAIL_TIMEOUT = 10
# without a mail server each message is a file
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'filebased'}.EmailBackend"
EMAIL_FILE_PATH = DATA_DIR / "mail"
DEFAULT_FROM_EMAIL = os.environ.get("MILO_EMAIL_FROM", "billing@milo.example")
MILO_MESSAGE_ID_DOMAIN = os.environ.get("MILO_MESSAGE_ID_DOMAIN", "milo.example")

# counts of requests, in each process; Django would drop a third of 300 entries, and so let the busiest start anew
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}
# of one bearer token in one process; 0 does not bound them
MILO_REQUESTS_PER_MINUTE = _number("MILO_REQUESTS_PER_MINUTE", 6000)

# fields of milo.identity.oidc.Provider as JSON, for example
# {"issuer": "https://id.example", "audience": "milo", "jwks_url": "https://id.example/keys",
#  "groups": {"finance": "finance-operator"}}
MILO_OIDC: dict[str, Any] = _json_object("MILO_OIDC")

CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL") or "filesystem://"
if CELERY_BROKER_URL == "filesystem://":
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(DATA_DIR / "broker"),
        "data_folder_out": str(DATA_DIR / "broker"),
        "control_folder": str(DATA_DIR / "broker-control"),
    }
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BEAT_SCHEDULE = {
    "validate-waiting-accounts": {"task": "billing.tasks.validate_waiting_accounts", "schedule": 60.0},
    # a task that waits for longer than to its next turn is not needed any more
    "deliver-notices": {"task": "billing.tasks.deliver_notices", "schedule": 5.0, "options": {"expires": 5}},
    "announce-standing": {"task": "billing.tasks.announce_standing", "schedule": 5.0, "options": {"expires": 5}},
    "expire-requests": {"task": "billing.tasks.expire_requests", "schedule": 60.0, "options": {"expires": 60}},
    "assess-accounts": {"task": "billing.tasks.assess_accounts", "schedule": 3600.0, "options": {"expires": 3600}},
    "archive-accounts": {"task": "billing.tasks.archive_accounts", "schedule": crontab(hour="2", minute="0")},
    "purge-accounts": {"task": "billing.tasks.purge_accounts", "schedule": crontab(hour="3", minute="0")},
    "announce-retention": {"task": "billing.tasks.announce_retention", "schedule": crontab(hour="4", minute="0")},
    "make-usage-partitions": {"task": "billing.tasks.make_usage_partitions", "schedule": 86400.0},
    "inspect-ledger": {"task": "billing.tasks.inspect_ledger", "schedule": 60.0, "options": {"expires": 60}},
    "seal-ledger": {"task": "milo.ledger.tasks.seal_ledger", "schedule": 60.0, "options": {"expires": 60}},
    "compact-change-log": {"task": "milo.kube.tasks.compact_change_log", "schedule": 3600.0},
}

# how far back a watch can begin and `kubectl events` shows what happened; the ledger's history is kept apart
MILO_CHANGE_LOG_RETENTION = timedelta(hours=_number("MILO_CHANGE_LOG_RETENTION_HOURS", 168))
# what proves the ledger: keys (back them up apart from the database), and who is given the heads of the chain
MILO_LEDGER_KEYS = os.environ.get("MILO_LEDGER_KEYS") or str(DATA_DIR / "ledger-keys")
MILO_LEDGER_HEADS = os.environ.get("MILO_LEDGER_HEADS") or str(DATA_DIR / "ledger-heads.jsonl")
MILO_LEDGER_ANCHOR = os.environ.get("MILO_LEDGER_ANCHOR") or "milo.ledger.anchors.FileAnchor"
MILO_LEDGER_ANCHOR_OPTIONS: dict[str, Any] = _json_object("MILO_LEDGER_ANCHOR_OPTIONS")
MILO_APPROVAL_DAYS = 14
MILO_REOPEN_WINDOW_DAYS = 90
# never before the time to reopen has passed
MILO_ARCHIVE_AFTER_DAYS = _number("MILO_ARCHIVE_AFTER_DAYS", MILO_REOPEN_WINDOW_DAYS)
MILO_NET_DAYS_WITHOUT_APPROVAL = 60
MILO_PAYMENT_PROFILE_VERIFIER = os.environ.get("MILO_PAYMENT_PROFILE_VERIFIER") or "billing.verifiers.FormVerifier"
# ISO 3166-1 alpha-2 of who sells and keeps the books; while it is empty, no mandate of the seller's country binds,
# and no account is purged
MILO_PLATFORM_COUNTRY = os.environ.get("MILO_PLATFORM_COUNTRY", "")
# where billing data can be kept (countries or regions, as DE,US), the first by default; empty: not said
MILO_DATA_REGIONS = [region for region in os.environ.get("MILO_DATA_REGIONS", "").split(",") if region]
# how long closed accounts are promised to be kept, which rules compare with the law; empty: as long as the law asks
MILO_RETENTION_YEARS = _number("MILO_RETENTION_YEARS", 0) or None
# usage events older than this are taken, and counted as late in the receipt
MILO_USAGE_LATE_DAYS = 35
# who provides and bills the services, as FOCUS exports name them
MILO_FOCUS_PROVIDER_NAME = os.environ.get("MILO_FOCUS_PROVIDER_NAME", "Milo")
