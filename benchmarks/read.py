"""Reading one account."""

from benchmarks import reads
from benchmarks.contest import hold
from benchmarks.report import Report
from benchmarks.stage import Stage


def run(stage: Stage) -> Report:
    sql = f"{reads.ACCOUNTS} AND account.name = 'account-7'"
    contestants = reads.contestants(stage, f"{reads.MILO}/account-7", f"{reads.PEER}account-7/", sql)
    return Report("Read one account", hold(contestants, stage.rounds, stage.seconds))
