"""The Celery application. The broker is transport only: pending work is a row first."""

import os
import sys
from typing import Any

import structlog
from celery import Celery, signals, states
from celery.fixups.django import DjangoFixup, DjangoWorkerFixup
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections

from milo import (
    clock,
    feature_gates,
    logs,
    task_runs,  # noqa: F401  connects receivers for each run of a task
    telemetry,
)
from milo.broker import redis

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "milo.settings")
redis.register()
log = structlog.get_logger(__name__)


class PoolKeeper(DjangoWorkerFixup):
    """Celery's care for Django in a worker, but for the pool: Celery closes that of a forked process at each task."""

    def close_database(self, **kwargs: Any) -> None:
        """Give the connections of a task back to the pool, before and after it."""
        for connection in connections.all(initialized_only=True):
            connection.close_if_unusable_or_obsolete()


class Fixup(DjangoFixup):
    """Celery's care for Django, with a `PoolKeeper` in each worker."""

    _worker_fixup: DjangoWorkerFixup | None

    @property
    def worker_fixup(self) -> DjangoWorkerFixup:
        if self._worker_fixup is None:
            self._worker_fixup = PoolKeeper(self.app)
        return self._worker_fixup


app = Celery("milo", fixups=[lambda app: Fixup(app).install()])
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.setup_logging.connect  # type: ignore[untyped-decorator]
def configure_logs(**kwargs: Any) -> None:
    """Configure logs like the server's; otherwise Celery replaces the loggers of the standard library."""
    logs.configure(settings.LOGGING)


@signals.celeryd_init.connect  # type: ignore[untyped-decorator]
def require_key(**kwargs: Any) -> None:
    """End a worker without a secret key, or one that cannot sign seals. Celery would log an exception and go on."""
    from milo.ledger import seals
    from milo.ledger.keys import KeyUnusable
    from milo.settings.secret_key import refuse_missing

    refuse_missing()
    try:
        seals.require_key()
    except KeyUnusable as error:
        sys.exit(str(error))
    finally:
        # processes of the worker must not inherit a connection, and a pool not at all
        database: Any = connections[DEFAULT_DB_ALIAS]
        database.close()
        if database.vendor == "postgresql":
            database.close_pool()


@signals.worker_init.connect  # type: ignore[untyped-decorator]
def refuse_wrong_clock(**kwargs: Any) -> None:
    """Refuse to start a worker whose clock is wrong: it would expire, archive and purge too early."""
    from milo.probes import own_connection  # which imports this module

    # of no pool, because processes that are forked from now on must not share one
    connection = own_connection()
    clock.refuse_start(connection)
    connection.close()
    connections.close_all()


@signals.worker_init.connect  # type: ignore[untyped-decorator]
def export_traces(**kwargs: Any) -> None:
    """Export spans, also those of the processes that the worker forks."""
    telemetry.begin()


@signals.worker_process_shutdown.connect  # type: ignore[untyped-decorator]
@signals.worker_shutdown.connect  # type: ignore[untyped-decorator]
def send_last_traces(**kwargs: Any) -> None:
    """Send the last spans. A forked process ends without Python's own handlers of its end."""
    telemetry.end()


@signals.task_postrun.connect  # type: ignore[untyped-decorator]
def record_run(task: Any, state: str | None, retval: Any, **kwargs: Any) -> None:
    """Record how a run of a schedule ended. One that cannot be recorded is sent again later."""
    from django.db import Error

    from milo.schedules import HEADER, runs

    name = task.request.get(HEADER)
    if not name:
        return
    try:
        if state == states.SUCCESS:
            runs.record_success(name)
        else:
            runs.record_failure(name, retval)
    except Error as error:
        log.warning("run_not_recorded", schedule=name, error=type(error).__name__)


@signals.worker_ready.connect  # type: ignore[untyped-decorator]
@signals.beat_init.connect  # type: ignore[untyped-decorator]
def log_gates(**kwargs: Any) -> None:
    """Log the feature gates of a worker or of beat."""
    feature_gates.log_modes()
