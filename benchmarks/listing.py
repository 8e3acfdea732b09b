"""Listing 100 and 1,000 accounts of an organization."""

from benchmarks import reads
from benchmarks.contest import hold
from benchmarks.report import Report
from benchmarks.stage import Stage


def list_100(stage: Stage) -> Report:
    return _list(stage, 100)


def list_1000(stage: Stage) -> Report:
    return _list(stage, 1000)


def _list(stage: Stage, number: int) -> Report:
    contestants = reads.contestants(
        stage,
        f"{reads.MILO}?limit={number}",
        f"{reads.PEER}?page_size={number}",
        f"{reads.ACCOUNTS} ORDER BY account.name LIMIT {number}",
    )
    return Report(f"List {number:,} accounts", hold(contestants, stage.rounds, stage.seconds))
