"""One soak from the first process to the last check."""

import random
import shutil
import signal
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from soak import people
from soak.actions import Actions
from soak.checks import CHECKS
from soak.checks.answers import recoveries
from soak.clients import Worker, open_everything
from soak.evidence import Check, Evidence
from soak.faults import Disk, Faults
from soak.http_client import Client
from soak.milo import Milo
from soak.options import Options
from soak.postgresql import make_folder
from soak.records import Records
from soak.watchers import KINDS, Watcher
from soak.world import World

DATABASE_MEBIBYTES, DATA_MEBIBYTES = 8192, 32
"""Sizes of the two file systems that are filled. The first is memory that is used as the database grows."""
FINISH_SECONDS = 60.0
"""How long a client asks for the outcome of its last request, once nothing is away any more."""
SETTLE_SECONDS = 300.0
"""How long notices and watches have to catch up."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was done, in lines for people, and what the checks found, by their names."""

    lines: list[str]
    found: dict[str, list[str]]


def soak(options: Options, prepare: Callable[[Milo], None] = Milo.make) -> Report:
    """Run one soak. `prepare` makes the database, with its server running afterwards."""
    with deployment(options) as (milo, disks):
        prepare(milo)
        milo.start()
        evidence = Evidence(options.folder, milo)
        begun = time.time()
        load(options, milo, disks)
        lines = [f"{time.time() - begun:.0f} s with settling"]
        found = {name: faults for name, check in CHECKS.items() if (faults := _run(check, evidence))}
        if found:
            milo.postgresql.dump(options.folder / "database.dump")
        return Report([*lines, *summary(evidence)], found)


def _run(check: Check, evidence: Evidence) -> list[str]:
    """Return what a check finds. One that fails has found something: the others run, and the evidence stays."""
    faults: list[str] = []
    try:
        faults += check(evidence)
    except Exception as error:
        faults.append(f"the check itself failed: {error!r}, {traceback.extract_tb(error.__traceback__)[-1]}")
    return faults


@contextmanager
def deployment(options: Options) -> Iterator[tuple[Milo, list[Disk]]]:
    """Make the folders of a soak, and stop and remove everything at the end."""
    disks = [Disk(options.folder / "database", DATABASE_MEBIBYTES), Disk(options.folder / "data", DATA_MEBIBYTES)]
    for disk in disks:
        # left by a soak that was killed
        disk.unmount()
    shutil.rmtree(options.folder, ignore_errors=True)
    make_folder(options.folder)
    mounted = [disk for disk in disks if disk.mount()]
    milo = Milo(options.folder, webs=options.webs, plant=options.plant, clocks=options.clocks)
    try:
        yield milo, mounted
    finally:
        milo.stop()
        for disk in mounted:
            disk.unmount()


def load(options: Options, milo: Milo, disks: list[Disk]) -> None:
    """Have clients write and watchers watch while faults are injected, then wait until all is settled."""
    stopping, finished, ending = threading.Event(), threading.Event(), threading.Event()
    world, log = World(people.organizations()), Records(options.folder / "actions.jsonl")
    tokens = milo.tokens
    first = Actions(Client(milo.ports, finished.is_set, options.seed), world, tokens, log, "client-first")
    open_everything(first, world, options.accounts, options.projects)
    watched = Records(options.folder / "watched.jsonl")
    watchers = [
        Watcher(resource, tokens[people.AUDITOR], milo.ports, watched, ending.is_set, options.seed + number)
        for number, resource in enumerate(KINDS)
    ]
    workers = []
    for number in range(options.clients):
        seed = options.seed * 1000 + number
        actions, rival = (
            Actions(Client(milo.ports, finished.is_set, seed + own), world, tokens, log, f"client-{number}")
            for own in (0, 500)
        )
        workers.append(Worker(actions, rival, world, stopping.is_set, seed))
    for thread in (*watchers, *workers):
        thread.start()
    inject(options, Faults(milo, disks, Records(options.folder / "faults.jsonl"), options.seed))
    stopping.set()
    milo.wait_until_ready()
    end = time.monotonic() + FINISH_SECONDS
    for worker in workers:
        worker.join(max(0.0, end - time.monotonic()))
    finished.set()
    settle(Evidence(options.folder, milo), watchers)
    ending.set()


def inject(options: Options, faults: Faults) -> None:
    """Inject the faults over the time of the soak, at intervals chosen by chance; Ctrl-C ends it early."""
    chooser = random.Random(options.seed)
    end = time.monotonic() + options.seconds
    ended = threading.Event()
    signal.signal(signal.SIGINT, lambda number, frame: ended.set())
    for number in range(options.kills):
        left = end - time.monotonic()
        if ended.wait(max(0.0, chooser.uniform(0.5, 1.0) * left / (options.kills - number + 1))):
            break
        faults.look_after()
        if options.faults:
            faults.inject_kind(options.faults[number % len(options.faults)])
        else:
            faults.inject()
    ended.wait(max(0.0, end - time.monotonic()))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    faults.look_after()


def settle(evidence: Evidence, watchers: list[Watcher]) -> None:
    """Wait until outbox and plans are done, and every watcher has the newest revision of its kind, at most a while."""
    statement = """SELECT (SELECT count(*) FROM billing_notice WHERE phase = 'Pending')
        + (SELECT count(*) FROM billing_announcement WHERE done_at IS NULL)
        + (SELECT count(*) FROM billing_payerchangeitem WHERE phase = 'Pending') AS owed"""
    end = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < end:
        # first, or the last plan could be done between the two questions, and its events be missed
        owed = evidence.query(statement)[0]["owed"]
        newest = {
            row["resource"]: row["newest"]
            for row in evidence.query("SELECT resource, max(resource_version) AS newest FROM kube_change GROUP BY 1")
        }
        behind = [each for each in watchers if each.version < newest.get(each.resource, 0)]
        if not behind and not owed:
            return
        time.sleep(0.5)


def summary(evidence: Evidence) -> list[str]:
    """Return what was done, for people."""
    acknowledged = [record for record in evidence.actions if 200 <= record["status"] < 300]
    actions = Counter(record["action"] for record in acknowledged)
    attempts = [attempt for record in evidence.actions for attempt in record["attempts"]]
    statuses = Counter(attempt[1] for attempt in attempts)
    faults = Counter(fault["fault"] for fault in evidence.faults if "fault" in fault)
    seconds = [seconds for _web, _accepts, seconds in recoveries(evidence)]
    lost = sum(record["replayed"] for record in evidence.actions)
    return [
        f"{len(acknowledged)} acknowledged writes: {_counted(actions)}",
        f"{faults.total()} faults: {_counted(faults)}",
        f"{len(attempts)} attempts by status: {_counted(statuses)}",
        f"{lost} answers were lost and asked for again",
        f"{len(evidence.mails)} mails, {len(evidence.watched)} watched events",
        f"first write after PostgreSQL's return: {len(seconds)} measured, at most {max(seconds, default=0):.1f} s",
    ]


def _counted(numbers: "Counter[str] | Counter[int]") -> str:
    return ", ".join(f"{name} {number}" for name, number in numbers.most_common())


def tracebacks(logs: Path) -> Counter[str]:
    """Return how many lines of the logs name each exception that left a traceback."""
    found: Counter[str] = Counter()
    for path in logs.glob("*.log"):
        inside = False
        for line in path.read_text(errors="replace").splitlines():
            if line.startswith("Traceback"):
                inside = True
            elif inside and line and not line[0].isspace():
                found[f"{path.stem}: {line[:150]}"] += 1
                inside = False
    return found
