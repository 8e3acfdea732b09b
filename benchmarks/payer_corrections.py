"""What corrections of payers cost everybody: intake, `usage verify` and `payer_at`, with one project in a hundred."""

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from io import StringIO
from typing import Any

from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from benchmarks import usage
from benchmarks.contest import measure
from benchmarks.data import a_large_payer, a_ready_account
from benchmarks.database import cpu_seconds
from benchmarks.report import Report
from benchmarks.stage import Stage
from billing.models import ApprovalRequest, BillingAccount, PayerCorrection
from billing.services.past import payer_at
from billing.services.usage import recounts
from projects.models import Project

PROJECTS, ONE_IN = 500, 100
Taken = dict[str, dict[bool, list[float]]]


def run(stage: Stage) -> Report:
    """Each round measures without corrections, then with them; so the sums are recounted between."""
    number = min(PROJECTS, stage.data.accounts // 20)
    payer = a_large_payer(number, "acme-recounted", "recounted")
    target = a_ready_account(payer.organization, "target")
    projects = list(Project.objects.filter(organization=payer.organization).order_by("pk"))
    since = timezone.now()
    intake = usage.over_http(stage, usage.token(), usage.batches("recounted", number))
    corrections = _corrections(projects[::ONE_IN], target, since)
    taken: Taken = defaultdict(lambda: {False: [], True: []})
    measure(intake, stage.seconds, 1)
    for _round in range(stage.rounds):
        for corrected in (False, True):
            _write(corrections, corrected)
            used = stage.milo.cpu_seconds() + cpu_seconds()
            rate, latencies = measure(intake, stage.seconds, 1)
            used = stage.milo.cpu_seconds() + cpu_seconds() - used
            taken["intake of a batch"][corrected].append(1 / rate)
            taken["intake of a batch, processor time"][corrected].append(used / len(latencies))
        # of the same events: each intake adds some, which verify reads
        for corrected in (False, True):
            _write(corrections, corrected)
            wall, processor = _timed(partial(_verify, payer))
            taken["usage verify"][corrected].append(wall)
            taken["usage verify, processor time"][corrected].append(processor)
            for title, project in (("payer_at", projects[1]), ("payer_at of a corrected project", projects[0])):
                asked = partial(payer_at, project, since)
                taken[title][corrected].append(statistics.median(_seconds(asked) for _number in range(stage.asked)))
    _write(corrections, False)
    facts: dict[str, Any] = {"projects, corrected ones": [len(projects), len(corrections)]}
    for title, each in taken.items():
        without, with_them = (statistics.median(each[corrected]) for corrected in (False, True))
        facts[f"{title}, without and with, ms"] = [round(seconds * 1000, 2) for seconds in (without, with_them)]
        facts[f"{title}, ratio"] = round(with_them / without, 2)
    return Report("Corrections of payers of 1% of the projects", facts=facts)


def _corrections(projects: Sequence[Project], target: BillingAccount, since: datetime) -> list[PayerCorrection]:
    """Return a correction of each project, unsaved, of a request that is approved."""
    requests = [
        ApprovalRequest(
            name=f"correct-{project.name}",
            organization_id=project.organization_id,
            account=target,
            act=ApprovalRequest.Action.CORRECT_PAYER,
            justification="a benchmark",
            reviewed={},
            requester="user:acme-admin",
            requested_at=since,
            expires_at=since + timedelta(days=7),
            phase=ApprovalRequest.Phase.APPROVED,
            decider="user:operator",
            decided_at=since,
        )
        for project in projects
    ]
    with _without_guards():
        ApprovalRequest.objects.bulk_create(requests)
    return [
        PayerCorrection(project=project, account=target, request=request, starts_at=since)
        for project, request in zip(projects, requests, strict=True)
    ]


def _write(corrections: Sequence[PayerCorrection], corrected: bool) -> None:
    """Let the corrections be there, up to now, or not; then make the sums right."""
    with _without_guards():
        PayerCorrection.objects.all()._raw_delete("default")
        for each in corrections if corrected else ():
            each.pk, each._state.adding = None, True
            each.ends_at = each.recorded_at = timezone.now()
        PayerCorrection.objects.bulk_create(corrections if corrected else ())
    for each in corrections:
        for chunk in recounts.chunks(each.project):
            recounts.rebuild(chunk)


@contextmanager
def _without_guards() -> Iterator[None]:
    """Open a transaction without triggers, which would ask for history, and refuse to delete."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield


def _verify(payer: BillingAccount) -> None:
    """Compare all sums of the projects with their events, which ends the run if they differ."""
    account = f"{payer.organization.name}/{payer.name}"
    call_command("usage", "verify", account=account, stdout=StringIO(), stderr=StringIO())


def _timed(function: Callable[[], object]) -> tuple[float, float]:
    """Return for how many seconds a function ran, and how much processor time it and PostgreSQL used."""
    used = time.process_time() + cpu_seconds()
    return _seconds(function), time.process_time() + cpu_seconds() - used


def _seconds(function: Callable[[], object]) -> float:
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun
