"""Metrics of billing: what services count, and what a scrape reads from rows."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

from django.db import transaction
from django.db.models import Count, Min, Sum
from django.utils import timezone
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from billing.models import (
    Announcement,
    ApprovalRequest,
    BillingAccount,
    BillingAccountAffiliation,
    Notice,
    PayerChange,
    PayerChangeItem,
    UnboundProject,
    UsageRollup,
)
from billing.models.usage_rollup import DAY
from milo.metrics.declared import counter, row_gauge, row_histogram

_HOUR, _DAY = 3600, 86400
binds = counter(
    "milo_binds_total", "Bindings made: a first payer (bound), or one that took over (rebound)", ("result",)
)
usage_events = counter("milo_usage_events_total", "Usage events reported: accepted, duplicate or rejected", ("result",))
ACCOUNTS = row_gauge("milo_billing_accounts", "Billing accounts by phase", ("phase",))
PAYER_CHANGES = row_gauge("milo_payer_changes", "Payer changes by phase", ("phase",))
UNBOUND = row_gauge("milo_unbound_projects", "Active projects that nobody pays for")
APPROVALS = row_gauge(
    "milo_approval_requests_pending", "Approval requests that wait for a decision, by action", ("action",)
)
APPROVAL_AGES = row_histogram(
    "milo_approval_request_age_seconds",
    "Age of the approval requests that wait for a decision",
    (_HOUR, 4 * _HOUR, _DAY, 3 * _DAY, 7 * _DAY, 14 * _DAY),
)
NOTICES = row_gauge("milo_notices", "Notices by phase: Pending, Delivered or Dead (a dead letter)", ("phase",))
REFUSED = row_gauge("milo_notices_refused", "Pending notices that the mail server has refused at least once")
OUTBOX = row_gauge(
    "milo_outbox_depth",
    "Rows of an outbox that wait: notices, announcements to accounts and projects, projects whose payer change is due,"
    " or affiliations that are due",
    ("outbox",),
)
OUTBOX_AGE = row_gauge(
    "milo_outbox_oldest_age_seconds",
    "Age of the oldest row of an outbox that waits; of notices, the oldest that was not attempted. 0 if none waits",
    ("outbox",),
)
UNASSIGNED = row_gauge("milo_usage_unassigned_events", "Usage events at times when nobody paid for their project")


def count_bind(*, rebound: bool) -> None:
    """Count a binding once its transaction has committed."""
    transaction.on_commit(binds.labels("rebound" if rebound else "bound").inc)


def count_events(**results: int) -> None:
    """Count the events of a batch by result, once its transaction has committed."""
    for result, number in results.items():
        transaction.on_commit(partial(usage_events.labels(result).inc, number))


class BillingCollector(Collector):
    """Reads accounts, payer changes, projects, approvals and the outboxes."""

    def collect(self) -> Iterator[Metric]:
        now = timezone.now()
        phases = dict(BillingAccount.objects.order_by().values_list("phase").annotate(Count("pk")))
        yield ACCOUNTS.of({(phase,): phases.get(phase, 0) for phase in BillingAccount.Phase.values})
        changes = dict(PayerChange.objects.order_by().values_list("phase").annotate(Count("pk")))
        yield PAYER_CHANGES.of({(phase,): changes.get(phase, 0) for phase in PayerChange.Phase.values})
        yield UNBOUND.of(UnboundProject.objects.count())
        requests = list(ApprovalRequest.objects.pending().values_list("act", "requested_at"))
        actions = [action for action, _at in requests]
        yield APPROVALS.of({(action,): actions.count(action) for action in ApprovalRequest.Action.values})
        yield APPROVAL_AGES.of([_age(now, at) for _action, at in requests])
        yield from self._outbox(now)

    def _outbox(self, now: datetime) -> Iterator[Metric]:
        phases = dict(Notice.objects.order_by().values_list("phase").annotate(Count("pk")))
        yield NOTICES.of({(phase,): phases.get(phase, 0) for phase in Notice.Phase.values})
        pending = Notice.objects.filter(phase=Notice.Phase.PENDING)
        yield REFUSED.of(pending.filter(attempts__gt=0).count())
        new = pending.filter(attempts=0).aggregate(Min("created_at"))["created_at__min"]
        owed = Announcement.objects.filter(done_at=None).aggregate(number=Count("pk"), oldest=Min("owed_at"))
        due = PayerChangeItem.objects.due(now).aggregate(number=Count("pk"), oldest=Min("effective_at"))
        plans = BillingAccountAffiliation.objects.due(now.date()).aggregate(
            number=Count("pk"), oldest=Min("effective_from")
        )
        waiting = {"notices": phases.get(Notice.Phase.PENDING, 0), "announcements": owed["number"]}
        waiting |= {"payerchanges": due["number"], "affiliations": plans["number"]}
        oldest = {"notices": new, "announcements": owed["oldest"], "payerchanges": due["oldest"]}
        first = plans["oldest"]
        oldest["affiliations"] = first and datetime(first.year, first.month, 1, tzinfo=UTC)
        yield OUTBOX.of({(name,): number for name, number in waiting.items()})
        yield OUTBOX_AGE.of({(name,): _age(now, at) for name, at in oldest.items()})


class UsageCollector(Collector):
    """Reads the queue of unassigned usage."""

    def collect(self) -> Iterator[Metric]:
        unassigned = UsageRollup.objects.unassigned().filter(granularity=DAY)
        yield UNASSIGNED.of(unassigned.aggregate(events=Sum("events"))["events"] or 0)


def _age(now: datetime, since: datetime | None) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0.0
