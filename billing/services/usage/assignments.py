"""Unassigned usage, and the effect of an approved request that assigns a span of it to an account."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from django.db import connection
from django.db.models import F, Max, Min, Q, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.models import (
    ApprovalRequest,
    BillingAccount,
    BillingAccountBinding,
    PayerChangeItem,
    PayerCorrection,
    UsageAssignment,
    UsageMeter,
    UsageRollup,
)
from billing.models.affiliation import payer_of_record
from billing.models.quantity import ExactSum
from billing.models.usage_partitions import next_month
from billing.models.usage_rollup import MONTH
from billing.services.accounts import ACCOUNT_FIELD
from billing.services.usage import locks, sums, times
from billing.usage.quantities import plain
from billing.usage.times import EARLIEST, FIRST, LATEST
from milo import audit
from milo.access import Actor
from milo.dates import first_of_month
from milo.errors import Cause, Invalid
from projects.models import Organization, Project

FIELD = "spec.proposal"


@dataclass(frozen=True, slots=True)
class Span:
    """Usage of a project from the instant `since` up to, not including, `until` (UTC)."""

    project: Project
    since: datetime
    until: datetime

    def sums(self) -> dict[sums.SumKey, sums.Amount]:
        """Return the sums of all events of the span, for every payer."""
        bounds = [connection.ops.adapt_datetimefield_value(at) for at in (self.since, self.until)]
        where = "v.project_id = %s AND v.time >= %s AND v.time < %s"
        return sums.counted(where, [self.project.pk, *bounds])


def unassigned(organization: Organization | None = None) -> Any:
    """Return the unassigned queue, oldest first: by project and meter the days (UTC) from `first` to `last`, `amount`
    and `count` of events.
    """
    rows = UsageRollup.objects.unassigned().filter(granularity="day").order_by()
    if organization:
        rows = rows.filter(project__organization=organization)
    named = rows.values(
        name=F("project__name"), service=F("meter__service"), counter=F("meter__name"), unit=F("meter__unit")
    )
    return named.annotate(
        first=Min("starts_on"), last=Max("starts_on"), amount=ExactSum("quantity"), count=Sum("events")
    ).order_by("first", "name", "service", "counter")


def causes(account: BillingAccount, request: ApprovalRequest) -> list[Cause]:
    """Return why the proposed span cannot be assigned to `account`, locked by the caller."""
    span, faults = _span(account, request.proposal)
    if account.phase in BillingAccount.READ_ONLY:
        faults.append(Cause(ACCOUNT_FIELD, _("a %(phase)s account is read-only") % {"phase": account.phase}))
    return faults or (_conflicts(span) + unanswered(account, span.since, span.until) if span else [])


def _span(account: BillingAccount, proposal: dict[str, Any]) -> tuple[Span | None, list[Cause]]:
    name = str(proposal.get("project", ""))
    project = Project.objects.filter(organization_id=account.organization_id, name=name).first()
    faults = [] if project else [Cause.not_found(f"{FIELD}.project", _("must be a project of the organization"))]
    since, until = (proposed_instant(proposal.get(key)) for key in ("since", "until"))
    if since is None or until is None or since >= until:
        faults.append(Cause(f"{FIELD}.until", _("since and until must be instants, until the later one")))
    elif since < FIRST:
        message = _("must lie between %(earliest)s and %(latest)s")
        faults.append(Cause(f"{FIELD}.since", message % {"earliest": EARLIEST, "latest": LATEST}))
    elif until > timezone.now():
        faults.append(Cause(f"{FIELD}.until", _("must be in the past; from now on a binding says who pays")))
    return (Span(project, since, until) if project and since and until else None), faults


def proposed_instant(value: Any) -> datetime | None:
    """Return an instant of a proposal, in UTC; None where it is none, or has no offset."""
    try:
        at = datetime.fromisoformat(str(value))
        # also the forms of ISO 8601 that RFC 3339 has not: requests that wait for a decision have been made with them
        return at.astimezone(UTC) if at.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _conflicts(span: Span) -> list[Cause]:
    bound = BillingAccountBinding.objects.filter(project=span.project, established_at__lt=span.until)
    assigned = UsageAssignment.objects.filter(project=span.project, starts_at__lt=span.until, ends_at__gt=span.since)
    if bound.filter(Q(ended_at=None) | Q(ended_at__gt=span.since)).exists():
        return [Cause(f"{FIELD}.since", _("an account pays for the project in this span, by a binding"))]
    # what is due becomes a binding that begins in the span, however late it is written
    if PayerChangeItem.objects.pending().filter(project=span.project, effective_at__lt=span.until).exists():
        return [Cause(f"{FIELD}.until", _("a payer change of the project is due in this span; try again"))]
    if PayerCorrection.objects.filter(project=span.project).overlapping(span.since, span.until).exists():
        return [Cause(f"{FIELD}.since", _("an account pays for the project in this span, by a correction"))]
    if assigned.exists():
        return [Cause(f"{FIELD}.since", _("usage of this span is assigned already"), "FieldValueDuplicate")]
    return [] if span.sums() else [Cause(f"{FIELD}.since", _("the project has no usage in this span"))]


def unanswered(account: BillingAccount, since: datetime, until: datetime) -> list[Cause]:
    """Return a cause if nobody could be invoiced for the first month that the account pays itself, of those from
    `since` up to, not including, `until` (UTC).

    The account could not be Ready by itself then, and cannot be now.
    """
    month = first = first_of_month(since)
    while payer_of_record(account, month) != account:
        month = next_month(month)
        if datetime(month.year, month.month, 1, tzinfo=UTC) >= until:
            return []
    if _could_pay(account, month):
        return []
    message = _("nobody could be invoiced for %(month)s: %(name)s was not Ready by itself, and had no payer of record")
    field = f"{FIELD}.{'since' if month == first else 'until'}"
    return [Cause(field, message % {"name": account.name, "month": f"{month:%Y-%m}"})]


def _could_pay(account: BillingAccount, month: date) -> bool:
    if account.first_ready_at and account.payment_profile and not account.payment_terms.missing():
        return True
    ends = next_month(month)
    end = datetime(ends.year, ends.month, 1, tzinfo=UTC)
    answered = account.history.filter(phase__in=("Ready", "Suspended"), paid_by=None, history_date__lt=end)
    return bool(answered.exists())


def shows(account: BillingAccount, request: ApprovalRequest) -> dict[str, Any]:
    """Return the amounts of the span, for the review; usage that arrives before the decision makes the review stale."""
    span, _faults = _span(account, request.proposal)
    totals: dict[int, sums.Amount] = {}
    for of, amount in span.sums().items() if span else ():
        if of.granularity == MONTH:
            totals[of.meter_id] = totals.get(of.meter_id, sums.NOTHING) + amount
    meters = UsageMeter.objects.filter(pk__in=totals).order_by("service", "name")
    return {
        "usage": [
            {
                "service": meter.service,
                "meter": meter.name,
                "unit": meter.unit,
                "quantity": plain(totals[meter.pk].quantity),
                "events": totals[meter.pk].events,
            }
            for meter in meters
        ]
    }


def apply(account: BillingAccount, request: ApprovalRequest, *, actor: Actor) -> None:
    """Assign the usage of the span to `account`, locked by the caller, in the transaction of the approval."""
    span, _faults = _span(account, request.proposal)
    assert span, "causes is asked first"
    locks.lock_exclusive(span.project.pk)
    # checked again under the lock: a request about the same span, for another account, may have been approved
    if conflicts := _conflicts(span):
        raise Invalid.because(conflicts)
    was = span.sums()
    assignment = UsageAssignment(
        project=span.project,
        account=account,
        request=request,
        starts_at=span.since,
        ends_at=span.until,
        assigned_at=times.decision(),
    )
    why = f"usage of {span.project.name} from {span.since.isoformat()} until {span.until.isoformat()}"
    # generated: the digits of its instants could pass for a card number
    audit.save_as(actor, assignment, reason="UsageAssigned", why=why, generated=True)
    sums.add(sums.difference(span.sums(), was))
    # no revision of the project: it shows nothing of this, and its lock would have to come before that of the account
    audit.mark_changed(actor, account, reason="UsageAssigned", why=why)
