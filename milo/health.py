"""Probes and metrics for operators: https://kubernetes.io/docs/reference/using-api/health-checks/

milo/probes.py answers them before Django; the views here are for other servers than `manage.py serve`, and for tests.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from django.conf import settings
from django.core.files.storage import FileSystemStorage, storages
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

import milo
from billing.metrics import BillingCollector, UsageCollector
from milo import clock, disks, feature_gates, readiness
from milo.celery import app
from milo.ledger import keys
from milo.ledger.metrics import LedgerCollector
from milo.ledger.serving import unguarded
from milo.metrics.collectors import Collectors, DatabaseCollector
from milo.metrics.counted import readiness_check
from milo.metrics.declared import row_gauge
from milo.metrics.shared import counted
from milo.readiness import Result, Unready
from milo.schedules.metrics import ScheduleCollector

NAMED = 5
"""Of more unapplied migrations than this, the number is told."""
# read from rows, so that every process has the same values
_metrics = Collectors()
_metrics.register("features", feature_gates.FeatureCollector())
_metrics.register("database", DatabaseCollector())
_metrics.register("ledger", LedgerCollector())
_metrics.register("schedules", ScheduleCollector())
_metrics.register("billing", BillingCollector())
_metrics.register("usage", UsageCollector())
_BUILD = row_gauge("milo_build_info", "1, with the version of Milo of the process that answers", ("version",))


@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    """Answer 200 while the process runs."""
    return alive(verbose="verbose" in request.GET)


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Answer 200 if every check passes or only degrades, otherwise 503 with the findings."""
    results = list(readiness.results(readiness.all_checks(), connection, {}))
    return ready(results, verbose="verbose" in request.GET)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer Prometheus with counts and times of checks; they reveal nothing about any object."""
    return all_metrics(metrics_of_database())


def alive(*, verbose: bool) -> HttpResponse:
    """Return the answer of /livez, which asks nothing of anybody."""
    return answer("livez", [Result("ping", "", False)], verbose=verbose)


def ready(results: Sequence[Result], *, verbose: bool) -> HttpResponse:
    """Return the answer of /readyz, and show the results in the metrics too. A scrape runs no check."""
    for each in results:
        readiness_check.labels(each.name, "degraded" if each.degrades else "unready").set(not each.reason)
    return answer("readyz", results, verbose=verbose)


def metrics_of_database() -> list[Metric]:
    """Read the metrics that are the same in every process, by the connection of the thread."""
    return list(_metrics.collect())


def all_metrics(read: Iterable[Metric]) -> HttpResponse:
    """Return the metrics `read`, and those that processes count, in the format of Prometheus."""
    everything = _Listed([_BUILD.of({(milo.__version__,): 1}), *read, *counted()])
    return HttpResponse(generate_latest(everything), content_type=CONTENT_TYPE_LATEST)


class _Listed(Collector):
    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def answer(name: str, results: Iterable[Result], *, verbose: bool) -> HttpResponse:
    """Return the answer of a probe: a line for each check where `verbose`, else a JSON object."""
    listed = list(results)
    failed = [each for each in listed if each.reason and not each.degrades]
    status = 503 if failed else 200
    headers = {"Cache-Control": "no-store"}
    if verbose:
        gates = feature_gates.lines() if name == "readyz" else ()
        lines = [*(each.line for each in listed), *gates, f"{name} check {'failed' if failed else 'passed'}", ""]
        return HttpResponse("\n".join(lines), content_type="text/plain", status=status, headers=headers)
    said: dict[str, str] = {"status": "unavailable" if failed else "ok"}
    if failed:
        said["why"] = "; ".join(each.reason for each in failed)
    if degraded := [f"{each.name}: {each.reason}" for each in listed if each.reason and each.degrades]:
        said["degraded"] = "; ".join(degraded)
    return JsonResponse(said, status=status, headers=headers)


@readiness.check_of_database("database")
def _database(connection: BaseDatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


@readiness.check_of_database("migrations")
def _migrations(connection: BaseDatabaseWrapper) -> None:
    """Migrations of a later version are none of this process: it may go on serving beside it."""
    applied: set[tuple[str, str]] = set()
    with connection.cursor() as cursor:
        if "django_migrations" in connection.introspection.table_names(cursor):
            cursor.execute("SELECT app, name FROM django_migrations")
            applied.update(cursor.fetchall())
    if absent := sorted(f"{app}.{name}" for app, name in _known_migrations() - applied):
        more = f" and {len(absent) - NAMED} more" if len(absent) > NAMED else ""
        raise Unready(f"migrations are not applied: {', '.join(absent[:NAMED])}{more}")


@cache
def _known_migrations() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None).disk_migrations)


@readiness.check_of_database("guards", kept_seconds=30)
def _guards(connection: BaseDatabaseWrapper) -> None:
    if wrong := unguarded(connection):
        raise Unready("; ".join(wrong))


@readiness.check_of_database("clock")
def _clock(connection: BaseDatabaseWrapper) -> None:
    if connection.vendor == "postgresql" and (reason := clock.fault(connection)):
        raise Unready(reason)


@readiness.check("newest_revision", degrades=True)
def _newest_revision() -> None:
    """SQLite has no second clock, and the newest revision may be what is wrong: it leaves the process ready."""
    if connection.vendor == "sqlite" and (reason := clock.fault(connection)):
        raise Unready(reason)


@readiness.check("keys")
def _keys() -> None:
    try:
        keys.public_keys()
    except (OSError, ValueError) as error:
        raise Unready("a key in MILO_LEDGER_KEYS cannot be read") from error


@readiness.check("disk", degrades=True)
def _disk() -> None:
    """Reads go on with a full disk, so it leaves the process ready."""
    full = [f"the disk of {name} is full: {lack}" for name, folder in _disks() if (lack := disks.lacks(folder))]
    if full:
        raise Unready("; ".join(full))


def _disks() -> Iterator[tuple[str, Path]]:
    """Yield a folder of each disk that this process or its worker writes to, and what to call it."""
    seen = set()
    for name, folder in _folders():
        if (disk := _disk_of(folder)) not in seen:
            seen.add(disk)
            yield name, folder


def _folders() -> Iterator[tuple[str, Path]]:
    yield "MILO_DATA_DIR", settings.DATA_DIR
    if connection.vendor == "sqlite":
        yield "the database", Path(str(connection.settings_dict["NAME"])).parent
    archive = storages["archive"]
    if isinstance(archive, FileSystemStorage):
        yield "the archive", Path(archive.location)
    # there is none with Redis
    if folder := getattr(settings, "CELERY_BROKER_TRANSPORT_OPTIONS", {}).get("folder"):
        yield "the broker", Path(folder)
    yield "MILO_LEDGER_HEADS", Path(settings.MILO_LEDGER_HEADS).parent


def _disk_of(folder: Path) -> int:
    return os.stat(disks.nearest(folder)).st_dev


@readiness.check("broker", degrades=True)
def _broker() -> None:
    """What is owed waits in the database for as long as the broker is away."""
    try:
        with app.connection_for_read() as broker:
            broker.connect()
    except Exception as error:
        raise Unready("the broker does not answer") from error
