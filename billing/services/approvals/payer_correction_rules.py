"""The rules of CorrectPayer: what a span of the past must be, and what the accounts of it must be."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from django.conf import settings
from django.db.models import F, Max, Q, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.models import (
    AccountPayer,
    ApprovalRequest,
    BillingAccount,
    BillingAccountBinding,
    Charge,
    UsageClosing,
    UsageEvent,
    UsageRollup,
)
from billing.models.usage_partitions import next_month
from billing.models.usage_rollup import MONTH
from billing.services import bindings, past
from billing.services.accounts import ACCOUNT_FIELD
from billing.services.approvals.closures import reopen_causes
from billing.services.handovers import missing_project
from billing.services.usage.assignments import proposed_instant, unanswered
from milo.dates import first_of_month
from milo.errors import Cause
from milo.kube.store.manifests import precise_instant
from projects.models import Project

FIELD = "spec.proposal"
LISTED = 100
"""Charges listed at most in a review, the newest."""
MAY_ANSWER = (BillingAccount.Phase.READY, BillingAccount.Phase.SUSPENDED)


@dataclass(frozen=True, slots=True)
class Span:
    """Time of a project from the instant `since` up to, not including, `until` (UTC)."""

    project: Project
    since: datetime
    until: datetime

    def months(self) -> Iterator[date]:
        """Yield the months of the span, by their first days (UTC)."""
        month = first_of_month(self.since)
        while datetime(month.year, month.month, 1, tzinfo=UTC) < self.until:
            yield month
            month = next_month(month)


def span_of(account: BillingAccount, proposal: dict[str, Any], now: datetime) -> tuple[Span | None, list[Cause]]:
    """Return the proposed span, and its faults. Without an end it is up to `now`, the time of the request."""
    name = str(proposal.get("project", ""))
    project = Project.objects.filter(organization_id=account.organization_id, name=name).first()
    faults = []
    if project is None:
        faults.append(missing_project(name, f"{FIELD}.project"))
    since, ends = proposed_instant(proposal.get("since")), proposal.get("until")
    until = proposed_instant(ends) if ends else now
    if since is None or until is None or since >= until:
        faults.append(Cause(f"{FIELD}.since", _("must be an instant before until, and in the past")))
        return None, faults
    if ends and until > timezone.now():
        faults.append(Cause(f"{FIELD}.until", _("must be in the past; from now on a binding says who pays")))
        return None, faults + _of_age(since)
    return (Span(project, since, until) if project else None), faults + _of_age(since)


def _of_age(since: datetime) -> list[Cause]:
    now, months = timezone.now(), settings.MILO_PAYER_CORRECTION_MONTHS
    year, month = divmod(now.year * 12 + now.month - 1 - months, 12)
    # every month has a 28th
    if since >= now.replace(year=year, month=month + 1, day=min(now.day, 28)):
        return []
    return [Cause(f"{FIELD}.since", _("must be at most %(months)d months back") % {"months": months})]


def causes(account: BillingAccount, request: ApprovalRequest) -> list[Cause]:
    """Return why the proposed correction cannot be made now; project and accounts are locked by the caller."""
    span, faults = span_of(account, request.proposal, request.requested_at)
    faults += _of_payer(account)
    # further back there is no end of months to look at, under the locks
    if span and not _of_age(span.since):
        paid = past.payers(span.project, span.since, span.until)
        faults += [
            *_of_life(span),
            *unanswered(account, span.since, span.until),
            *_of_others(account, paid, bool(request.proposal.get("currencyDiffers"))),
            *_of_events(span),
        ]
        if all(stretch.account_id == account.pk for stretch in paid):
            message = _("%(account)s paid for %(project)s throughout already")
            text = message % {"account": account.name, "project": span.project.name}
            faults.append(Cause(f"{FIELD}.since", text, "FieldValueDuplicate"))
        if not request.proposal.get("until"):
            faults += _of_binding(account, span.project)
    return faults


def _of_payer(account: BillingAccount) -> list[Cause]:
    """Return why the account cannot answer for its past: it is neither open nor closed and to be reopened."""
    if account.phase in MAY_ANSWER:
        return []
    if account.phase == BillingAccount.Phase.CLOSED:
        return reopen_causes(account)
    message = _("a %(phase)s account cannot answer for usage of the past") % {"phase": account.phase}
    return [Cause(ACCOUNT_FIELD, message)]


def _of_life(span: Span) -> list[Cause]:
    project, faults = span.project, []
    if span.since < project.created_at:
        message = _("project %(name)s was created at %(at)s")
        words = {"name": project.name, "at": precise_instant(project.created_at)}
        faults.append(Cause(f"{FIELD}.since", message % words))
    if project.phase == Project.Phase.ARCHIVED and span.until > project.phase_since:
        message = _("project %(name)s was archived at %(at)s")
        words = {"name": project.name, "at": precise_instant(project.phase_since)}
        faults.append(Cause(f"{FIELD}.until", message % words))
    return faults


def _of_others(account: BillingAccount, paid: Collection[past.Stretch], acknowledged: bool) -> list[Cause]:
    """Return why the accounts that paid cannot be relieved: one is archived, or bills in another currency."""
    keys = {stretch.account_id for stretch in paid if stretch.account_id} - {account.pk}
    faults = []
    for other in BillingAccount.objects.filter(pk__in=keys).order_by("name"):
        if other.phase == BillingAccount.Phase.ARCHIVED:
            message = _("%(name)s, which paid in this span, is Archived") % {"name": other.name}
            faults.append(Cause(f"{FIELD}.since", message))
        if other.currency_code != account.currency_code and not acknowledged:
            message = _("must be true, to acknowledge that %(other)s bills in %(theirs)s and %(name)s in %(ours)s")
            words = {
                "other": other.name,
                "theirs": other.currency_code,
                "name": account.name,
                "ours": account.currency_code,
            }
            faults.append(Cause(f"{FIELD}.currencyDiffers", message % words, "FieldValueRequired"))
    return faults


def _of_events(span: Span) -> list[Cause]:
    """Return the months whose events retention has detached: sums of them cannot be counted any more.

    The sums of a month say how many events it had: each is counted once more than it was withdrawn.
    """
    rows = UsageRollup.objects.filter(project=span.project, granularity=MONTH)
    faults = []
    for month in span.months():
        known = rows.filter(starts_on=month).aggregate(events=Sum(F("events") - F("withdrawn")))["events"] or 0
        start, end = (datetime(day.year, day.month, 1, tzinfo=UTC) for day in (month, next_month(month)))
        events = UsageEvent.objects.filter(project=span.project, time__gte=start, time__lt=end)
        if known and events.count() < known:
            message = _("the events of %(month)s are archived: the figures can no longer be restated")
            faults.append(Cause(f"{FIELD}.since", message % {"month": f"{month:%Y-%m}"}))
    return faults


def _of_binding(account: BillingAccount, project: Project) -> list[Cause]:
    """Return why the account cannot be bound from now on; if it pays already, the correction must say its end."""
    active = BillingAccountBinding.objects.paying().filter(project=project, account=account).first()
    if active:
        message = _("is required: %(account)s pays already, by binding %(binding)s since %(at)s")
        words = {"account": account.name, "binding": active.name, "at": precise_instant(active.established_at)}
        return [Cause.required(f"{FIELD}.until", message % words)]
    refusals = bindings.refusals(project.organization_id, project.name, account.name)
    return [
        replace(cause, field=f"{FIELD}.project") if cause.field == bindings.PROJECT_FIELD else cause
        for cause in refusals
    ]


def names_of(accounts: Collection[int]) -> dict[int, str]:
    """Return the names of accounts by their keys."""
    return dict(BillingAccount.objects.filter(pk__in=accounts).values_list("pk", "name"))


def charges(accounts: Collection[int], span: Span) -> list[Charge]:
    """Return the charges of `accounts` that were due or reported since the span began, which may be about its usage."""
    since = Q(due_date__gte=span.since.date()) | Q(created_at__gte=span.since)
    newest = Charge.objects.filter(since, account__in=accounts).order_by("-pk")[:LISTED]
    return sorted(newest, key=lambda charge: charge.pk)


def first_open_months(accounts: Collection[int], span: Span) -> dict[int, date]:
    """Return the first open month of each account whose payer of record has closed a month of the span.

    What moves is billed there.
    """
    months = list(span.months())
    rows = AccountPayer.objects.filter(account__in=accounts, from_month__lte=months[-1])
    payers: dict[int, set[int]] = defaultdict(set)
    for account, payer in rows.exclude(until_month__lte=months[0]).values_list("account", "payer"):
        payers[account].add(payer)
    concerned = {key for key in accounts if key not in payers}.union(*payers.values())
    closings = UsageClosing.objects.filter(account__in=concerned, opens_on__gt=months[0])
    last = dict(closings.order_by("account").values_list("account").annotate(last=Max("opens_on")))
    opened = {key: [last[payer] for payer in payers.get(key, {key}) if payer in last] for key in accounts}
    return {key: max(each) for key, each in opened.items() if each}
