"""What is logged, and that it is written without local variables, whichever program serves."""

from typing import Any

LOGGING_CONFIG = "milo.logs.configure"
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"()": "milo.logs.formatter"}},
    "filters": {"only_tracebacks": {"()": "milo.logs.only_tracebacks"}},
    "handlers": {"console": {"class": "milo.logs.StandardError", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        # one line for each request
        "milo.requests": {"level": "INFO"},
        # Django would send mail with the settings and the local variables of each error
        "django": {"handlers": [], "level": "INFO"},
        "django.request": {"filters": ["only_tracebacks"], "level": "ERROR"},
        # these name addresses and headers as a stranger sent them; our own line says what was answered
        "django.security": {"level": "CRITICAL"},
        "celery": {"level": "INFO"},
        "uvicorn": {"handlers": [], "level": "INFO"},
        # with paths and queries that may be anything
        "uvicorn.access": {"handlers": [], "level": "CRITICAL", "propagate": False},
    },
}
