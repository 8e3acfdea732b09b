"""The HTTP API and its documents, and who its bearer tokens may come from."""

from dataclasses import asdict
from typing import Any

from milo.settings.environment import environment

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["milo.identity.authentication.BearerAuthentication"],
    "DEFAULT_SCHEMA_CLASS": "milo.kube.openapi.schema.KubeSchema",
    "EXCEPTION_HANDLER": "milo.kube.wire.status.exception_handler",
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

# counts of requests, in each process; Django would drop a third of 300 entries, and so let the busiest start anew
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}
MILO_REQUESTS_PER_MINUTE = environment.access.requests_per_minute
MILO_TOKEN_LONGEST_DAYS = environment.access.token_longest_days

MILO_OIDC: dict[str, Any] = asdict(environment.access.oidc) if environment.access.oidc else {}
