"""Draft a payer change: which projects it would move, what refuses it, and which of them cannot move.

`lock` takes every lock that creating it needs, `draft` reads. A change of which a second person must approve is drafted
for each review, and created from what was reviewed.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from billing.models import BillingAccount, BillingAccountBinding, PayerChange
from billing.services.accounts import missing_account
from billing.services.handovers import account_causes, project_causes
from billing.services.locked_payers import why_locked
from billing.services.payer_changes import facts, moves, plans, sets
from billing.services.payer_changes.moves import Refusal, refusal_reason
from billing.services.payer_changes.sets import Named, PayerChangeSpec
from milo.errors import Cause
from projects.models import Project

ACCOUNT_FIELD, EFFECTIVE_FIELD = "spec.toAccountRef.name", "spec.effectiveAt"
CAUSES = 100


@dataclass(frozen=True, slots=True)
class Draft:
    """A payer change that is not written: its projects, its faults, and which projects cannot move, by primary key."""

    change: PayerChange
    spec: PayerChangeSpec
    named: Sequence[Named]
    faults: Sequence[Cause]
    refused: Mapping[int, Refusal]
    actives: Mapping[int, BillingAccountBinding]

    @property
    def may_fail(self) -> bool:
        """Return whether a project that cannot move is an outcome: effective now, and not all or none."""
        return self.change.at_once and not self.change.atomic

    def causes(self) -> list[Cause]:
        """Return why the change cannot be created, at most `CAUSES` and how many more there are.

        A project that cannot move is one of them, unless it is an outcome; if none can move, all are.
        """
        causes = list(self.faults)
        if not self.may_fail or len(self.refused) == len(self.named):
            by_name = self.spec.projects is not None
            causes += [
                Cause(each.field, refusal.message if by_name else f"{each.name}: {refusal.message}")
                for each in self.named
                if (refusal := self.refused.get(each.pk))
            ]
        if len(causes) > CAUSES:
            more = Cause(sets.PROJECTS, _("and %(number)s more") % {"number": len(causes) - CAUSES})
            causes = [*causes[:CAUSES], more]
        return causes


def account_keys(organization_id: int, spec: PayerChangeSpec) -> dict[str, int]:
    """Return the primary keys of the accounts that `spec` names, by name; those that there are."""
    return dict(_accounts_of(organization_id, spec).values_list("name", "pk"))


def _accounts_of(organization_id: int, spec: PayerChangeSpec) -> QuerySet[BillingAccount]:
    names = [name for name in (spec.account, spec.source) if name]
    return BillingAccount.objects.filter(organization=organization_id, name__in=names)


def lock(organization_id: int, spec: PayerChangeSpec) -> set[int]:
    """Lock the projects that `spec` names now, then its accounts and their payers, and return the keys of the projects.

    What is due of the projects becomes a fact between. Raises `Unavailable` while another payer change takes effect.
    """
    accounts = account_keys(organization_id, spec)
    named, _missing = sets.resolve(spec, organization_id, _source(spec, accounts))
    locked = set(Project.objects.locked().filter(pk__in=[each.pk for each in named]).values_list("pk", flat=True))
    facts.lock_payers(locked, besides=accounts.values())
    return locked


def _source(spec: PayerChangeSpec, accounts: Mapping[str, int]) -> BillingAccount | None:
    return BillingAccount(pk=accounts[spec.source]) if spec.source in accounts else None


def draft(
    organization_id: int, name: str, spec: PayerChangeSpec, *, within: Collection[int] | None = None, creator: str
) -> Draft:
    """Return the change that `spec`, which says which projects move, would create now; it locks nothing.

    `within` are the primary keys of the projects that may be of the set at most: those that are locked.
    """
    payers = {row.name: row for row in _accounts_of(organization_id, spec)}
    accounts = {name: row.pk for name, row in payers.items()}
    named, causes = sets.resolve(spec, organization_id, _source(spec, accounts))
    if within is not None:
        # one that came to the set while its locks were waited for is not of it
        named = [each for each in named if each.pk in within]
    projects = Project.objects.in_bulk([each.pk for each in named])
    change = _new(organization_id, name, spec, payers, creator)
    causes += _account_causes(spec, payers) + _causes_of_size(spec, named, payers)
    actives = _actives(projects)
    causes += _instant_causes(change, spec, actives, payers.get(spec.account))
    # as outcomes they are written, which the ledger does in one language, not in the actor's
    may_fail = change.at_once and not change.atomic
    with translation.override(settings.LANGUAGE_CODE if may_fail else translation.get_language()):
        refused = _refused(named, projects, payers.get(spec.account), actives)
    return Draft(change, spec, named, causes, refused, actives)


def _new(
    organization_id: int, name: str, spec: PayerChangeSpec, payers: Mapping[str, BillingAccount], creator: str
) -> PayerChange:
    return PayerChange(
        name=name,
        organization_id=organization_id,
        account=payers.get(spec.account),
        source=payers.get(spec.source),
        projects=list(spec.projects) if spec.projects is not None else None,
        project_selector={"matchLabels": dict(spec.labels)} if spec.labels is not None else None,
        effective_at=spec.effective_at or timezone.now(),
        at_once=spec.effective_at is None,
        atomic=spec.atomic,
        reason=spec.reason,
        created_by=creator,
    )


def _account_causes(spec: PayerChangeSpec, payers: Mapping[str, BillingAccount]) -> list[Cause]:
    causes = []
    if spec.source and spec.source not in payers:
        causes.append(Cause(sets.SOURCE, missing_account(spec.source).message, "FieldValueNotFound"))
    account = payers.get(spec.account)
    waits = spec.effective_at is not None and account and account.phase not in BillingAccount.READ_ONLY
    if not waits:
        causes += [Cause(ACCOUNT_FIELD, each.message, each.reason) for each in account_causes(spec.account, account)]
    return causes


def _causes_of_size(spec: PayerChangeSpec, named: Sequence[Named], payers: Mapping[str, BillingAccount]) -> list[Cause]:
    causes = []
    missing = bool(spec.source) and spec.source not in payers
    if spec.projects is None and not named and not missing:
        causes.append(Cause(spec.set_field, _("there is no project to move")))
    if len(named) > sets.AT_MOST:
        causes.append(Cause(named[0].field, _("at most %(limit)s projects") % {"limit": sets.AT_MOST}))
    if spec.atomic and len(named) > sets.ATOMIC_AT_MOST:
        causes.append(Cause("spec.atomic", _("at most %(limit)s projects") % {"limit": sets.ATOMIC_AT_MOST}))
    return causes


def _actives(projects: Mapping[int, Project]) -> dict[int, BillingAccountBinding]:
    bindings = BillingAccountBinding.objects.paying().filter(project__in=list(projects))
    columns = ("name", "project_id", "account_id", "established_at")
    return {binding.project_id: binding for binding in bindings.only(*columns)}


def _instant_causes(
    change: PayerChange,
    spec: PayerChangeSpec,
    actives: Mapping[int, BillingAccountBinding],
    payer: BillingAccount | None,
) -> list[Cause]:
    """Set the instant of a change that is effective now, behind those of the present payers; else check that named."""
    if spec.effective_at is None:
        change.effective_at = moves.present(payer, [each.established_at for each in actives.values()])
        return []
    now = timezone.now()
    if spec.effective_at <= now:
        return [Cause(EFFECTIVE_FIELD, _("must be in the future"))]
    if spec.effective_at > _a_year_after(now):
        return [Cause(EFFECTIVE_FIELD, _("is more than 1 year ahead"))]
    return []


def _a_year_after(at: datetime) -> datetime:
    try:
        return at.replace(year=at.year + 1)
    except ValueError:
        # the 29th of February
        return at.replace(year=at.year + 1, day=28)


def _refused(
    named: Sequence[Named],
    projects: Mapping[int, Project],
    payer: BillingAccount | None,
    actives: Mapping[int, BillingAccountBinding],
) -> dict[int, Refusal]:
    """Return why projects cannot move, by their primary keys."""
    planned, locked = plans.open_items(projects), why_locked(projects)
    refused = {}
    for each in named:
        project, active = projects[each.pk], actives.get(each.pk)
        messages = [cause.message for cause in project_causes(project, payer, active, locked=locked.get(each.pk, ""))]
        if item := planned.get(each.pk):
            messages.append(plans.refusal(item))
        if messages:
            reason = refusal_reason(project, payer, locked=locked.get(each.pk, ""), planned=bool(item))
            refused[each.pk] = Refusal(reason, "; ".join(messages))
    return refused
