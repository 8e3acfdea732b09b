"""Django's settings, derived from the environment. The defaults are a single machine with SQLite.

Start with `groups.py`, which declares every variable; each other module has the settings of one noun. The package
imports nothing of Milo but `milo.idn`. Checks that need the applications are registered with `checks.register`.
"""

from typing import Any

from django.utils.translation import gettext_lazy

from milo.settings.api import *
from milo.settings.background import *
from milo.settings.databases import *
from milo.settings.environment import BASE_DIR, DATA_DIR, environment, is_development
from milo.settings.logs import *
from milo.settings.mail import *
from milo.settings.policies import *
from milo.settings.secret_key import secret_key
from milo.settings.staff_site import *

DEBUG = environment.server.debug
SECRET_KEY = secret_key()
SECRET_KEY_FALLBACKS = list(environment.server.secret_key_fallbacks)
MILO_STAFF_HOST = environment.server.staff_host
MILO_ENVIRONMENT = environment.server.environment or ("development" if is_development(environment.server) else "")
_at_home = f"http://127.0.0.1:{environment.server.http_port}" if is_development(environment.server) else ""
MILO_STAFF_URL = environment.server.staff_url or (f"https://{MILO_STAFF_HOST}" if MILO_STAFF_HOST else _at_home)
ALLOWED_HOSTS = [*environment.server.allowed_hosts, *([MILO_STAFF_HOST] if MILO_STAFF_HOST else [])]
# with it everything is served over TLS; without it `make up` serves the staff site over plain HTTP on this machine
HTTPS_ONLY = environment.server.https_only
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS_ONLY
# a name with this prefix is refused by browsers unless the cookie came over TLS, from this very host
_prefix = "__Host-" if HTTPS_ONLY else ""
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = f"{_prefix}sessionid", f"{_prefix}csrftoken"
CSRF_COOKIE_HTTPONLY = True
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS_ONLY else 0
# probes and scrapers inside the cluster use plain HTTP
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$", r"^healthz$", r"^metrics$"]
# HSTS for other hosts of the domain, and preload lists of browsers, are decisions of its owner
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
CSRF_TRUSTED_ORIGINS = list(environment.server.trusted_origins)
# the ports of `make up`
MILO_HTTP_PORT, MILO_HTTPS_PORT = environment.server.http_port, environment.server.https_port
MILO_WAITING_REQUESTS, MILO_TRUSTED_PROXIES = environment.server.waiting_requests, environment.server.trusted_proxies
MILO_KEEP_ALIVE_SECONDS, MILO_HEADER_SECONDS = environment.server.keep_alive_seconds, environment.server.header_seconds
MILO_DRAIN_SECONDS, MILO_STOP_SECONDS = environment.server.drain_seconds, environment.server.stop_seconds
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "milo.apps.MiloConfig",
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "unfold.contrib.import_export",
    "unfold.contrib.simple_history",
    "milo.apps.StaffSiteConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "simple_history",
    "import_export",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "milo.ledger",
    "milo.kube",
    "milo.identity",
    "milo.schedules",
    "projects",
    "billing",
    # last, because it runs the checks that the others register
    "milo.settings.apps.SettingsConfig",
]
MIDDLEWARE = [
    "milo.requests.RequestIdMiddleware",
    "milo.kube.wire.plain_http.PlainHttpMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "milo.admin.hosts.StaffHostMiddleware",
    "milo.static_files.StaticFilesMiddleware",
    "milo.admin.compression.CompressionMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "milo.identity.sessions.SessionAgeMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "milo.identity.middleware.AuthorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "milo.admin.content_security.ContentSecurityMiddleware",
    "axes.middleware.AxesMiddleware",
    "milo.admin.time_zones.TimeZoneMiddleware",
    "milo.admin.personal.PersonalDataMiddleware",
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
STORAGES: dict[str, Any] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "milo.static_files.StaticFilesStorage",
        # another user may serve them
        "OPTIONS": {"file_permissions_mode": 0o644, "directory_permissions_mode": 0o755},
    },
    "archive": {
        "BACKEND": environment.stores.archive_storage,
        "OPTIONS": environment.stores.archive_options or {},
    }
    if environment.stores.archive_storage
    else {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": DATA_DIR / "archive", "file_permissions_mode": 0o600},
    },
}

CSRF_FAILURE_VIEW = "milo.bare_pages.csrf_failure"
# after a log-in that wanted no certain page
LOGIN_REDIRECT_URL = "admin:index"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", gettext_lazy("English")), ("de", gettext_lazy("German"))]
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = "milo.formats"

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS = True

DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
