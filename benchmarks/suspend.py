"""Suspending an account with very many projects: the act, and the revisions that follow it. No server takes part."""

import time

from benchmarks.data import PLATFORM, a_large_payer
from benchmarks.report import Report
from benchmarks.stage import Stage
from billing.models import Notice
from billing.services.notices.deliveries import announce_due
from billing.services.suspensions import suspend
from milo.kube.models import Change

PROJECTS = 10_000
ROUNDS = 3


def run(stage: Stage) -> Report:
    """The slowest of a few rounds; suspensions stack, so that each owes everything anew."""
    projects = min(PROJECTS, stage.data.accounts // 10)
    account = a_large_payer(projects)
    commits, announcements = [], []
    for _round in range(ROUNDS):
        begun = time.perf_counter()
        suspend(account.pk, reason_code="PaymentPastDue", message="An invoice is past due", actor=PLATFORM)
        commits.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        announce_due()
        announcements.append(time.perf_counter() - begun)
    facts = {
        "projects": projects,
        "notices owed by one suspension": Notice.objects.filter(account=account).count() // ROUNDS,
        "suspended and committed, ms": round(max(commits) * 1000),
        "revisions written by one suspension": Change.objects.filter(reason="PayerSuspended").count() // ROUNDS,
        "all revisions written after, s": round(max(announcements), 1),
    }
    return Report("Suspend an account with many projects", facts=facts)
