"""Loggers and levels, the same in every process. Tracebacks have no local variables."""

from typing import Any

from milo.settings.environment import environment

MILO_LOG_FORMAT = environment.operations.log_format
MILO_TRACE_EXPORT = environment.operations.trace_export
LOGGING_CONFIG = "milo.logs.configure"
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"()": "milo.logs.formatter"}},
    "filters": {"only_tracebacks": {"()": "milo.logs.only_tracebacks"}},
    "handlers": {"console": {"class": "milo.logs.StandardError", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        # Django's default handler mails the settings and local variables of each error
        "django": {"handlers": [], "level": "INFO"},
        "django.request": {"filters": ["only_tracebacks"], "level": "ERROR"},
        # these repeat addresses and headers of strangers; the line of the request has the status
        "django.security": {"level": "CRITICAL"},
        "celery": {"level": "INFO"},
        # these repeat results and errors of tasks; milo/task_runs.py writes the line of each run
        "celery.app.trace": {"level": "CRITICAL"},
        "celery.worker.strategy": {"level": "WARNING"},
        "uvicorn": {"handlers": [], "level": "INFO"},
        # it has paths and queries, which may be any text
        "uvicorn.access": {"handlers": [], "level": "CRITICAL", "propagate": False},
    },
}
