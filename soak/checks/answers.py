"""Answers during the faults: no 500 for what is only away, and every process writes again soon after."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from soak.evidence import Evidence

RECOVERY_SECONDS = 10.0
EXPECTED = {0, 200, 201, 409, 422, 429, 503, 504}
"""Of a client that sends what is well-formed: 0 is a connection that was refused or lost."""
ALLOWED = {("approve", 403), ("resolve", 404)}
"""To approve one's own request is tried now and then, and two clients may resolve the same suspension."""


def expected(evidence: Evidence) -> Iterator[str]:
    """Look for statuses that no client should see, and for requests whose outcome stayed unknown."""
    statuses: Counter[tuple[int, str]] = Counter()
    for record in evidence.actions:
        for _web, status, _sent, _at in record["attempts"]:
            if status not in EXPECTED and (record["action"], status) not in ALLOWED:
                statuses[status, record["action"]] += 1
    for (status, action), times in sorted(statuses.items()):
        yield f"{action} was answered {status}, {times} times"
    if unknown := sum(record["status"] == 0 for record in evidence.actions):
        yield f"of {unknown} requests the outcome stayed unknown, with everything up again"


def recoveries(evidence: Evidence) -> Iterator[tuple[int, float, float]]:
    """Yield web process, instant and seconds from each return of PostgreSQL to the first acknowledged write.

    A web process that was killed meanwhile is left out, and one that PostgreSQL left again before; so is the one whose
    clock can be set, because libfaketime makes it wait on a busy machine.
    """
    milo = evidence.milo
    clocked = {number for number, process in enumerate(milo.webs) if process in milo.clocks}
    written: dict[int, list[float]] = {}
    for record in evidence.actions:
        for web, status, _sent, at in record["attempts"]:
            if 200 <= status < 300:
                written.setdefault(web, []).append(at)
    ended = max((at for instants in written.values() for at in instants), default=0.0)
    returns = [fault for fault in evidence.faults if "accepts" in fault]
    for fault in returns:
        accepts = fault["accepts"]
        interrupted = min((each["at"] for each in returns if each["at"] > accepts), default=float("inf"))
        for web, instants in sorted(written.items()):
            if web in clocked:
                continue
            first = min((at for at in instants if at > accepts), default=float("inf"))
            killed = [each["at"] for each in evidence.faults if each.get("web") == web]
            # it starts for some seconds after a kill
            if any(fault["at"] - 30 < at < min(first, accepts + 60) for at in killed):
                continue
            if first > interrupted or ended < accepts + RECOVERY_SECONDS:
                continue
            yield web, accepts, first - accepts


def recovery(evidence: Evidence) -> Iterator[str]:
    """Look for processes that wrote nothing for too long after PostgreSQL had returned."""
    for web, accepts, seconds in recoveries(evidence):
        if seconds > RECOVERY_SECONDS:
            yield f"web-{web} acknowledged its first write {seconds:.1f} s after PostgreSQL's return at {accepts:.0f}"


def no_deadlock(evidence: Evidence) -> Iterator[str]:
    """Look for transactions that PostgreSQL ended, because they waited for one another."""
    log = (evidence.milo.logs / "postgresql.log").read_text(errors="replace").splitlines()
    for line, following in pairwise([*log, ""]):
        if "deadlock detected" in line:
            yield f"{line}; {following[:200]}"


def survival(evidence: Evidence) -> Iterator[str]:
    """Look for processes that ended by themselves: whatever is away, they wait for it."""
    for record in evidence.faults:
        if "ended" in record:
            yield f"{record['ended']} had ended by itself at {record['at']:.0f}"
