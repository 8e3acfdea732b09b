"""Payer changes: ten thousand projects moved beside single binds, and what other tenants notice of it."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from itertools import count
from typing import Any, TypeVar

from django.utils import timezone

from benchmarks import bind
from benchmarks.contest import WORKERS, measure
from benchmarks.data import PLATFORM, a_large_payer, a_ready_account
from benchmarks.database import cpu_seconds
from benchmarks.report import Report
from benchmarks.servers import ROOT
from benchmarks.stage import Stage
from billing.models import BillingAccount, BillingAccountBinding, PayerChange
from billing.services.payer_changes.creation import create_payer_change
from billing.services.payer_changes.facts import BATCH, move_batch, move_due
from billing.services.payer_changes.sets import PayerChangeSpec

PROJECTS = 10_000
DUE_AT_ONCE = 1_000
PAUSE_SECONDS = 0.1
"""Of a client between two binds: it waits for locks, and does not keep both cores busy itself."""
BATCHES = 10
"""Of one turn of the worker beside another tenant."""
WORKER = """
import sys, django
django.setup()
from billing.services.payer_changes.facts import move_batch
for line in sys.stdin:
    change, batches = map(int, line.split())
    print(sum(move_batch(change) for _batch in range(batches)), flush=True)
"""
T = TypeVar("T")
_numbers = count()


def run(stage: Stage) -> Report:
    """The projects move to and fro in the organization of one tenant, while another one binds."""
    projects = min(PROJECTS, stage.data.accounts // 10)
    payer = a_large_payer(projects, "acme-group", "unit")
    other = a_ready_account(payer.organization, "other")
    found: dict[str, Any] = {"projects": projects}
    found |= _rates(stage, payer, other)
    found |= _beside(stage, other, payer)
    found |= _at_one_instant(payer, other)
    return Report("Move projects to another account by payer changes", facts=found)


def _plan(target: BillingAccount, **spec: Any) -> PayerChange:
    plan = PayerChangeSpec(target.name, "a benchmark", **spec)
    return create_payer_change(target.organization_id, f"move-{next(_numbers)}", plan, actor=PLATFORM)


def _rates(stage: Stage, payer: BillingAccount, other: BillingAccount) -> dict[str, Any]:
    """Move everything in as many parts as there are rounds, each followed by single binds over HTTP.

    These come from one client, as from somebody who moves one project after another, then from several at once.
    Processor time is that of the worker or the server, and that of PostgreSQL.
    """
    begun = time.perf_counter()
    change = _plan(other, source=payer.name)
    planned, projects = time.perf_counter() - begun, change.items.count()
    single, rates, worked, bound = bind.over_http(stage), list[tuple[float, float, float]](), 0.0, 0.0
    binds, part = 0, -(-projects // BATCH // stage.rounds)
    measure(single, min(stage.seconds, 1.0))
    while BillingAccountBinding.objects.paying().filter(account=payer).exists():
        begun, before = time.perf_counter(), time.process_time() + cpu_seconds()
        moved = sum(move_batch(change.pk) for _batch in range(part))
        rate = moved / (time.perf_counter() - begun)
        worked += time.process_time() + cpu_seconds() - before
        before = stage.milo.cpu_seconds() + cpu_seconds()
        (alone, one), (together, many) = (measure(single, stage.seconds, workers) for workers in (1, WORKERS))
        bound += stage.milo.cpu_seconds() + cpu_seconds() - before
        binds += len(one) + len(many)
        rates.append((rate, alone, together))
    return {
        "planned, rows included, s": round(planned, 2),
        f"projects moved/s, binds/s by 1 client, by {WORKERS}": _medians(*zip(*rates, strict=True)),
        "ratio to binds by 1 client": _medians([moved / alone for moved, alone, _together in rates])[0],
        f"ratio to binds by {WORKERS} clients": _medians([moved / together for moved, _alone, together in rates])[0],
        "processor time of a project moved, of a bind, ms": _ms(worked / projects, bound / binds),
        "ratio of their processor times": round((bound / binds) / (worked / projects), 1),
    }


def _beside(stage: Stage, payer: BillingAccount, other: BillingAccount) -> dict[str, Any]:
    """Compare the binds of another tenant, alternately while a worker moves a few batches, and alone for as long."""
    change = _plan(other, source=payer.name)
    alone, beside, moved, moving = list[float](), list[float](), 0, 0.0
    with _worker(change) as worker:
        for _turn in range(stage.rounds * 2):
            begun = time.perf_counter()
            taken, batch = _binds(stage, worker)
            took = time.perf_counter() - begun
            beside, moved, moving = beside + taken, moved + batch, moving + took
            alone += _binds(stage, partial(time.sleep, took))[0]
    move_due()
    found = {f"of another tenant, {title}": taken for title, taken in (("alone", alone), ("meanwhile", beside))}
    percentiles = {title: statistics.quantiles(taken, n=100) for title, taken in found.items()}
    (quiet, busy) = percentiles.values()
    return {
        "projects moved/s beside another tenant": round(moved / moving, 1),
        **{f"binds {title}": len(taken) for title, taken in found.items()},
        **{f"binds {title}, p50 and p99 ms": _ms(found[49], found[98]) for title, found in percentiles.items()},
        "p50 and p99, meanwhile over alone": [round(busy[each] / quiet[each], 2) for each in (49, 98)],
    }


@contextmanager
def _worker(change: PayerChange) -> Iterator[Callable[[], int]]:
    """Start a process as that of Celery is. Yield a function that lets it move batches, and returns how many moved."""
    command = [sys.executable, "-c", WORKER]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        asked, answers = process.stdin, process.stdout

        def move(batches: int = BATCHES) -> int:
            asked.write(f"{change.pk} {batches}\n")
            asked.flush()
            return int(answers.readline())

        # its start is not measured
        move(0)
        yield move
        asked.close()


def _binds(stage: Stage, during: Callable[[], T]) -> tuple[list[float], T]:
    """Return how many seconds each bind took, by clients that pause between two, while `during` ran; and its result."""
    single, over = bind.over_http(stage), list[bool]()

    def client(worker: int) -> list[float]:
        taken = list[float]()
        with single.connect(worker) as request:
            while not over or not taken:
                begun = time.perf_counter()
                request()
                taken.append(time.perf_counter() - begun)
                time.sleep(PAUSE_SECONDS)
        return taken

    with ThreadPoolExecutor(WORKERS) as pool:
        clients = [pool.submit(client, worker) for worker in range(WORKERS)]
        result = during()
        over.append(True)
        return [seconds for each in clients for seconds in each.result()], result


def _at_one_instant(payer: BillingAccount, other: BillingAccount) -> dict[str, Any]:
    """Tell when the last project is a fact of those that are due at one instant, after it."""
    projects = list(payer.bindings.paying().order_by("pk").values_list("project__name", flat=True)[:DUE_AT_ONCE])
    change = _plan(other, projects=projects, effective_at=timezone.now() + timedelta(seconds=2))
    time.sleep(max(0.0, (change.effective_at - timezone.now()).total_seconds()))
    moved = move_due()
    late = (timezone.now() - change.effective_at).total_seconds()
    return {"due at one instant": moved, "facts after it, s": round(late, 2)}


def _medians(*columns: Sequence[float]) -> list[float]:
    return [round(statistics.median(column), 1) for column in columns]


def _ms(*seconds: float) -> list[float]:
    return [round(each * 1000, 2) for each in seconds]
