"""The HTTP API, its documentation, and the identity provider of its bearer tokens."""

from dataclasses import asdict
from typing import Any

from milo.settings.environment import environment

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["milo.identity.authentication.BearerAuthentication"],
    "DEFAULT_SCHEMA_CLASS": "milo.kube.openapi.schema.KubeSchema",
    "EXCEPTION_HANDLER": "milo.kube.wire.status.exception_handler",
    # the server determines the client address (uvicorn --forwarded-allow-ips); headers of clients are not trusted
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
    # one component serves for reading and writing
    "COMPONENT_NO_READ_ONLY_REQUIRED": True,
    "ENFORCE_NON_BLANK_FIELDS": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "SORT_OPERATION_PARAMETERS": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    # by default Swagger UI requests a badge from a public validator
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "persistAuthorization": False, "validatorUrl": None},
}

# request counts of each process; with 300 entries Django would drop a third, and reset the busiest clients
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}
MILO_REQUESTS_PER_MINUTE = environment.access.requests_per_minute
MILO_TOKEN_LONGEST_DAYS = environment.access.token_longest_days

MILO_OIDC: dict[str, Any] = asdict(environment.access.oidc) if environment.access.oidc else {}
