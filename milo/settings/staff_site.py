"""The staff site: appearance, log-in, lockout and sessions."""

from datetime import timedelta

from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy

from milo.settings.environment import environment

# after too many failures a name is locked out at one address; the API has tokens instead of passwords
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_ON_SUCCESS = True
# further attempts do not extend the lockout, so that nobody can keep a person out
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_LOCKOUT_CALLABLE = "milo.admin.lockout.locked_out"
AXES_HANDLER = "milo.admin.lockout.AttemptHandler"
AXES_USERNAME_CALLABLE = "milo.admin.lockout.counted_name"
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = AXES_VERBOSE = False
MESSAGE_STORAGE = "milo.admin.masking.MaskedMessages"
FORM_RENDERER = "milo.admin.masking.MaskedRenderer"
# people with an authenticator are asked for a one-time password whatever these settings are
MILO_SECOND_FACTOR_STAFF = environment.access.second_factor_staff
MILO_SECOND_FACTOR_APPROVERS = environment.access.second_factor_approvers
OTP_TOTP_ISSUER = "Milo Billing Accounts"
MILO_SESSION_IDLE_MINUTES = environment.access.session_idle_minutes
MILO_SESSION_HOURS = environment.access.session_hours
SESSION_COOKIE_AGE = MILO_SESSION_HOURS * 3600
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "milo.identity.passwords.PasswordChangeMail"},
]

UNFOLD = {
    "SITE_TITLE": "Milo Billing Accounts",
    "SITE_HEADER": "Milo Billing Accounts",
    "SITE_ICON": lambda request: static("milo/favicon.svg"),
    "SITE_URL": None,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("milo/favicon.svg")}],
    "SHOW_VIEW_ON_SITE": False,
    "ENVIRONMENT": "milo.admin.site.environment",
    "ENVIRONMENT_TITLE_PREFIX": "milo.admin.site.environment_prefix",
    "SHOW_BACK_BUTTON": False,
    "STYLES": [lambda request: static("milo/admin.css")],
    "SCRIPTS": [lambda request: static("milo/admin.js")],
    "DASHBOARD_CALLBACK": "milo.admin.attention.dashboard",
    "SIDEBAR": {"navigation": "milo.admin.site.navigation", "show_search": True, "command_search": True},
    "COMMAND": {
        "search_models": [
            "projects.Organization",
            "billing.BillingAccount",
            "projects.Project",
            "billing.BillingAccountBinding",
            "billing.ApprovalRequest",
            "billing.Charge",
            "billing.PayerChange",
            "billing.Suspension",
            "auth.User",
        ]
    },
    "ACCOUNT": {
        "navigation": [
            {"title": gettext_lazy("Issue a token for yourself"), "link": reverse_lazy("admin:own_token")},
            {"title": gettext_lazy("Time zone"), "link": reverse_lazy("admin:time_zone")},
            {"title": gettext_lazy("My sessions"), "link": reverse_lazy("admin:sessions")},
            {"title": gettext_lazy("Second factor"), "link": reverse_lazy("admin:second_factor")},
        ]
    },
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
