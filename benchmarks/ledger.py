"""The ledger: what its guards cost a bind, how long sealing and verifying take, and asking for the past."""

import itertools
import os
import resource
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import connection
from django.utils import timezone

from benchmarks.data import ORGANIZATION, PLATFORM
from benchmarks.report import Report
from benchmarks.stage import Stage
from billing.models import BillingAccount, BillingAccountBinding
from billing.services import past
from billing.services.bindings import bind
from milo import append_only
from milo.audit import histories
from milo.ledger import seals
from milo.ledger.verification import verify
from projects.models import Organization, Project

ROWS = 1_000_000
_names = itertools.count()


def run(stage: Stage) -> Report:
    """The rows are copies of one history row and one binding, made by SQL with the guards lifted."""
    rows = min(ROWS, stage.data.accounts * 10)
    facts: dict[str, Any] = {"a bind with its guards, against one without": _guards(stage)}
    _copy_rows(rows)
    project = Project.objects.get(name="project-1")
    account = BillingAccount.objects.get(organization__name=ORGANIZATION, name="account-2")
    busiest = BillingAccount.objects.get(organization__name=ORGANIZATION, name="account-0")
    at = timezone.now()
    times = partial(_times, stage.asked)
    facts |= {
        "bindings, and rows of their history": rows,
        "bindings of the project, and of the busiest account": (project.bindings.count(), busiest.bindings.count()),
        "who paid at an instant, median and 95th percentile, ms": times(lambda: past.payer_at(project, at)),
        "who paid, as known at another, ms": times(lambda: past.payer_at(project, at, at)),
        "an account as of an instant, ms": times(lambda: past.as_of(account, at)),
        "its projects then, ms": times(lambda: list(past.projects_at(account, at))),
        "projects of the busiest account then, ms": times(lambda: list(past.projects_at(busiest, at))),
    }
    begun = time.perf_counter()
    sealed = seals.seal()
    facts["rows sealed"] = sealed
    facts["sealed in, s"] = round(time.perf_counter() - begun, 1)
    begun, worked = time.perf_counter(), _processor()
    report = verify()
    facts["verified in, s"] = round(time.perf_counter() - begun, 1)
    facts["of which processor time of its processes, s"] = round(_processor() - worked, 1)
    facts["memory of the largest of those, MiB"] = round(_peak())
    facts["faults found"] = "; ".join(map(str, report.faults)) or 0
    return Report("The ledger", facts=facts)


def _peak() -> float:
    """MiB of the largest process that this one started and saw end; zero where it started none."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def _processor() -> float:
    """Seconds that this process and those it started and has seen end have worked."""
    return sum(os.times()[:4])


def _times(times: int, ask: Callable[[], object]) -> tuple[float, float]:
    took = []
    for _ in range(times):
        begun = time.perf_counter()
        ask()
        took.append(time.perf_counter() - begun)
    took.sort()
    return round(took[times // 2] * 1000, 2), round(took[times * 95 // 100] * 1000, 2)


def _guards(stage: Stage) -> str:
    """Processor time of this process and wall time would both count waiting; the median of binds in turns does not."""
    organization = Organization.objects.get(name=ORGANIZATION)
    # accounts that pay for nothing yet, which take turns
    turns = ((project, f"account-{account}") for account in itertools.cycle((901, 903)) for project in range(400))
    times: dict[bool, list[float]] = {True: [], False: []}
    # a bind writes history by them, guarded or not
    writers = {records.function for records in histories().values()}
    guards = [guard for guard in append_only.all_guards() if guard.name not in writers]
    for guarded in [True, False] * stage.rounds:
        append_only.lift(connection, guards)
        if guarded:
            append_only.install(connection, guards)
        for _ in range(stage.asked // 5):
            project, account = next(turns)
            begun = time.perf_counter()
            bind(organization.pk, f"guarded-{next(_names)}", f"project-{project}", account, actor=PLATFORM)
            times[guarded].append(time.perf_counter() - begun)
    append_only.install(connection, guards)
    with_guards, without = (sorted(times[guarded])[len(times[guarded]) // 2] for guarded in (True, False))
    return f"{with_guards * 1000:.1f} ms and {without * 1000:.1f} ms: {100 * (with_guards / without - 1):+.0f}%"


def _copy_rows(rows: int) -> None:
    """As many bindings that have ended, each of a microsecond long ago, as `rows`, and as many history rows."""
    binding = BillingAccountBinding.objects.order_by("pk").first()
    assert binding
    table, history = binding._meta.db_table, binding.history.model._meta.db_table
    columns = [str(column.column) for column in binding._meta.concrete_fields if not column.primary_key]
    changed = {
        "uid": "gen_random_uuid()",
        "name": "'past-' || n",
        "supersedes_id": "NULL",
        "phase": "'Ended'",
        "project_id": "(SELECT min(id) FROM projects_project) + n % 400",
        "established_at": "timestamptz '2020-01-01' + n * interval '1 millisecond'",
        "ended_at": "timestamptz '2020-01-01' + n * interval '1 millisecond' + interval '1 microsecond'",
        "end_reason": "'ProjectArchived'",
    }
    names = ", ".join(columns)
    values = ", ".join(changed.get(name, f"old.{name}") for name in columns)
    guards = [guard for guard in append_only.all_guards() if guard.table in (table, history)]
    append_only.lift(connection, guards)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({names}) SELECT {values} FROM {table} AS old, generate_series(1, {rows}) AS n"
            f" WHERE old.id = {binding.pk}"
        )
        cursor.execute(
            f"INSERT INTO {history} (history_date, history_change_reason, history_type, history_user_id,"
            f" history_request_id, id, {names}) SELECT now(), 'Ended: a copy', '+', 'system:benchmarks', '',"
            f" id, {names} FROM {table} WHERE name LIKE 'past-%'"
        )
        cursor.execute(f"ANALYZE {table}")
        cursor.execute(f"ANALYZE {history}")
    append_only.install(connection, guards)
