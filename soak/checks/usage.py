"""Sums of usage equal a naive recount: every event, one after the other, for the account that paid at its time.

That is the account of the latest correction that covers the time, else the one of the binding. No month of the soak is
closed: within an open month the entries of a correction cancel each other, and nothing is withdrawn.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from soak.evidence import Evidence

Key = tuple[str, int, int | None, int, date]
"""Granularity, project, account, meter, first day."""


def sums(evidence: Evidence) -> Iterator[str]:
    """Compare quantity and number of events of each stored sum with the recount."""
    recounted = _recount(evidence)
    statement = """SELECT granularity, project_id, account_id, meter_id, starts_on, quantity, events, withdrawn
        FROM billing_usagerollup"""
    stored: dict[Key, tuple[Decimal, int]] = {}
    for row in evidence.query(statement):
        key = row["granularity"], row["project_id"], row["account_id"], row["meter_id"], row["starts_on"]
        before = stored.get(key, (Decimal(0), 0))
        stored[key] = before[0] + row["quantity"], before[1] + row["events"] - row["withdrawn"]
    stored = {key: value for key, value in stored.items() if value != (Decimal(0), 0)}
    for key in sorted(recounted.keys() | stored.keys(), key=str):
        if recounted.get(key) != stored.get(key):
            yield f"the sum of {key} is {stored.get(key)}, and its events are {recounted.get(key)}"


def _recount(evidence: Evidence) -> dict[Key, tuple[Decimal, int]]:
    bindings: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in evidence.query("SELECT * FROM billing_billingaccountbinding ORDER BY project_id, established_at"):
        bindings[row["project_id"]].append(row)
    # the latest one last
    corrections: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in evidence.query("SELECT * FROM billing_payercorrection ORDER BY recorded_at"):
        corrections[row["project_id"]].append(row)
    starts = {project: [row["established_at"] for row in rows] for project, rows in bindings.items()}
    quantities: dict[Key, Decimal] = defaultdict(Decimal)
    events: Counter[Key] = Counter()
    statement = "SELECT project_id, meter_id, time AT TIME ZONE 'UTC' AS utc, time, quantity FROM billing_usageevent"
    for event in evidence.query(statement):
        project, account = event["project_id"], None
        place = bisect_right(starts.get(project, []), event["time"]) - 1
        if place >= 0:
            binding = bindings[project][place]
            if binding["ended_at"] is None or binding["ended_at"] > event["time"]:
                account = binding["account_id"]
        for correction in corrections[project]:
            if correction["starts_at"] <= event["time"] < correction["ends_at"]:
                account = correction["account_id"]
        day = event["utc"].date()
        for granularity, first in (("day", day), ("month", day.replace(day=1))):
            key = granularity, project, account, event["meter_id"], first
            quantities[key] += event["quantity"]
            events[key] += 1
    return {key: (quantity, events[key]) for key, quantity in quantities.items()}
