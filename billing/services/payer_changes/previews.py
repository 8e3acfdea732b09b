"""What a payer change, or a bind, would move: payers now, usage, currencies, findings, and what stands in the way."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.db.models import Count, Q
from django.utils import timezone

from billing.compliance.check import check
from billing.compliance.findings import Severity
from billing.models import (
    BillingAccount,
    BillingAccountBinding,
    PayerChange,
    PayerChangeItem,
    PayerLock,
    UsageRollup,
)
from billing.models.quantity import ExactSum
from billing.models.unbound_project import unbound_projects
from billing.models.usage_rollup import DAY
from billing.services.compliance.rules import facts_of, platform
from billing.services.locked_payers import why_locked
from billing.services.payer_changes import conditions, sets
from billing.usage.quantities import plain
from projects.models import Project
from projects.models.project import ProjectQuerySet

LISTED = 100
"""Names of one kind that a preview lists; the counts are of all."""
_SPAN = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Named:
    """A project that does not move, or not as things are: why, as a word for programs and for people."""

    project: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Metered:
    """Usage of a meter that would have gone to the new payer: of the last 30 days, and of this month (UTC)."""

    service: str
    meter: str
    unit: str
    last_30_days: str
    present_month: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What would move, as things are now. Lists have at most `LISTED` entries, counts are of all."""

    projects: int
    payers: Sequence[tuple[str, int]]
    unbound_count: int
    unbound: Sequence[str]
    locked: Sequence[Named]
    refused: Sequence[Named]
    obstacle: str
    usage: Sequence[Metered]
    currencies: Sequence[str]
    currency_after: str
    findings: Sequence[dict[str, str]]
    not_included_count: int
    not_included: Sequence[str]


def preview_of_change(change: PayerChange) -> Preview:
    """Return what `change` would move now of what is pending, and what it has found not to move."""
    pending = PayerChangeItem.objects.pending().filter(change=change)
    failed = PayerChangeItem.objects.filter(change=change, phase=PayerChangeItem.Phase.FAILED)
    refused = [
        Named(item.project.name, item.reason, item.message)
        for item in failed.select_related("project").order_by("id")[:LISTED]
    ]
    moving = Project.objects.filter(pk__in=pending.values("project"))
    return _preview(moving, change.account, [*refused, *_would_fail(change)], sets.not_included(change))


def _would_fail(change: PayerChange) -> list[Named]:
    """Return the projects that cannot move as things are; those that are locked have a list of their own."""
    unlocked = PayerChangeItem.objects.immovable().exclude(project__in=PayerLock.objects.open().values("project"))
    items = list(unlocked.filter(change=change).select_related("project").order_by("id")[:LISTED])
    why = conditions.refusals(items, change.account)
    return [Named(item.project.name, why[item.pk].reason, why[item.pk].message) for item in items if item.pk in why]


def preview_of_bind(binding: BillingAccountBinding) -> Preview:
    """Return what a bind, which a dry run has written, would move."""
    was = [binding.supersedes.account] if binding.supersedes else []
    projects = Project.objects.filter(pk=binding.project_id)
    return _preview(projects, binding.account, [], Project.objects.none(), before=was)


def preview_of_names(organization_id: int, names: Sequence[str], account: BillingAccount) -> Preview:
    """Return what would move now if the projects of these names, all of the organization, get the payer `account`."""
    projects = Project.objects.filter(organization=organization_id, name__in=names)
    return _preview(projects, account, [], Project.objects.none())


def _preview(
    projects: ProjectQuerySet,
    account: BillingAccount,
    refused: Sequence[Named],
    not_included: ProjectQuerySet,
    *,
    before: Sequence[BillingAccount] | None = None,
) -> Preview:
    counted = _payers(projects) if before is None else [(each.name, each.currency_code, 1) for each in before]
    unbound = projects.filter(pk__in=unbound_projects().values("pk"))
    why = why_locked(projects.values_list("pk", flat=True))
    names = dict(Project.objects.filter(pk__in=sorted(why)[:LISTED]).values_list("pk", "name"))
    return Preview(
        projects=projects.count(),
        payers=[(name, count) for name, _code, count in counted],
        unbound_count=unbound.count(),
        unbound=list(unbound.order_by("name").values_list("name", flat=True)[:LISTED]),
        locked=[Named(name, "PayerLocked", why[pk]) for pk, name in sorted(names.items())],
        refused=refused,
        obstacle=conditions.obstacle(account),
        usage=_usage(projects, timezone.now().date()),
        currencies=sorted({code for _name, code, _count in counted}),
        currency_after=account.currency_code,
        findings=_findings(account),
        not_included_count=not_included.count(),
        not_included=list(not_included.order_by("name").values_list("name", flat=True)[:LISTED]),
    )


def _payers(projects: ProjectQuerySet) -> list[tuple[str, str, int]]:
    """Return who pays now: name, currency, number of the projects."""
    paying = BillingAccountBinding.objects.paying().filter(project__in=projects.values("pk"))
    payers = paying.order_by("account__name").values_list("account__name", "account__currency_code")
    return [(name, code, count) for name, code, count in payers.annotate(number=Count("pk"))]


def _usage(projects: ProjectQuerySet, today: date) -> list[Metered]:
    month, recent = today.replace(day=1), today - _SPAN
    rows = UsageRollup.objects.filter(project__in=projects.values("pk"), granularity=DAY)
    sums = (
        rows.filter(starts_on__gte=min(month, recent), starts_on__lte=today)
        .values_list("meter__service", "meter__name", "meter__unit")
        .annotate(
            recent=ExactSum("quantity", filter=Q(starts_on__gte=recent)),
            month=ExactSum("quantity", filter=Q(starts_on__gte=month)),
        )
        .order_by("meter__service", "meter__name", "meter__unit")
    )
    return [
        Metered(service, meter, unit, plain(last or Decimal(0)), plain(present or Decimal(0)))
        for service, meter, unit, last, present in sums
    ]


def _findings(account: BillingAccount) -> list[dict[str, str]]:
    found = check(facts_of(account), platform(), timezone.now().date())
    return [
        {"severity": str(each.severity), "field": each.field, "message": each.message}
        for each in found
        if each.severity is not Severity.INFO
    ]
