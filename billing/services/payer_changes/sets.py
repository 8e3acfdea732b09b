"""The set of projects of a payer change: how its spec names them, and which these are now."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from billing.models import BillingAccount, BillingAccountBinding, PayerChange
from billing.models.binding import projects_paid_by
from billing.services.handovers import missing_project
from billing.services.payer_changes.plans import reason_causes
from milo.errors import Cause
from milo.kube.names import metadata_causes
from milo.kube.store.manifests import instant, precise_instant, without_empty
from milo.kube.store.selectors import HasLabel
from projects.models import Project
from projects.models.project import ProjectQuerySet

AT_MOST = 10_000
"""Projects of one payer change."""
ATOMIC_AT_MOST = 200
PROJECTS, SOURCE, SELECTOR = "spec.projects", "spec.fromAccountRef.name", "spec.projectSelector"


@dataclass(frozen=True, slots=True)
class PayerChangeSpec:
    """The spec of a payer change; exactly one of `projects`, `source` and `labels` says which projects move.

    `account` and `source` are names of accounts, `labels` are those that every project of the set has. Without
    `effective_at` (UTC) they move now.
    """

    account: str
    reason: str
    projects: Sequence[str] | None = None
    source: str = ""
    labels: Mapping[str, str] | None = None
    effective_at: datetime | None = None
    atomic: bool = False

    @classmethod
    def of_json(cls, spec: Mapping[str, Any]) -> "PayerChangeSpec":
        """Return a spec that `as_json` wrote."""
        return cls(
            account=spec["toAccountRef"]["name"],
            reason=spec["reason"],
            projects=spec.get("projects"),
            source=spec.get("fromAccountRef", {}).get("name", ""),
            labels=spec.get("projectSelector", {}).get("matchLabels"),
            effective_at=datetime.fromisoformat(spec["effectiveAt"]) if "effectiveAt" in spec else None,
            atomic=spec.get("atomic", False),
        )

    def as_json(self) -> dict[str, Any]:
        """Return the spec of a manifest."""
        at = self.effective_at
        return without_empty(
            {
                "projects": self.projects and list(self.projects),
                "fromAccountRef": {"name": self.source} if self.source else None,
                "projectSelector": None if self.labels is None else {"matchLabels": dict(self.labels)},
                "toAccountRef": {"name": self.account},
                # as it was sent: with its fraction of a second, if it has one
                "effectiveAt": at and (precise_instant(at) if at.microsecond else instant(at)),
                "atomic": self.atomic,
                "reason": self.reason,
            }
        )

    @property
    def set_field(self) -> str:
        """Return the field that says which projects move."""
        if self.projects is not None:
            return PROJECTS
        return SOURCE if self.source else SELECTOR

    def causes(self) -> list[Cause]:
        """Return every fault of the spec that needs no look at the rows."""
        return reason_causes(self.reason) + self.set_causes() + list(self._repeated(self.projects or ()))

    def set_causes(self) -> list[Cause]:
        """Return the faults for which it cannot be told which projects move."""
        ways = [way for way in (self.projects, self.source or None, self.labels) if way is not None]
        causes = []
        if len(ways) != 1:
            message = _("exactly one of projects, fromAccountRef and projectSelector is required")
            causes.append(Cause(PROJECTS, message, "FieldValueInvalid" if ways else "FieldValueRequired"))
        if self.labels is not None:
            field = f"{SELECTOR}.matchLabels"
            causes += [Cause(field, each.message) for each in metadata_causes(self.labels, {})]
            causes += [] if self.labels else [Cause.required(field)]
        if self.source and self.source == self.account:
            causes.append(Cause(SOURCE, _("must be another account than the new payer")))
        if self.projects is not None and not self.projects:
            causes.append(Cause.required(PROJECTS))
        if len(self.projects or ()) > AT_MOST:
            causes.append(Cause(PROJECTS, _("at most %(limit)s projects") % {"limit": AT_MOST}))
        return causes

    def _repeated(self, names: Sequence[str]) -> Iterator[Cause]:
        seen: dict[str, int] = {}
        for index, name in enumerate(names):
            if seen.setdefault(name, index) != index:
                message = _("names project %(name)s a second time")
                yield Cause(f"{PROJECTS}[{index}]", message % {"name": name}, "FieldValueDuplicate")


@dataclass(frozen=True, slots=True)
class Named:
    """A project of a set: its primary key, its name, and the field that a refusal of it names."""

    pk: int
    name: str
    field: str


def resolve(
    spec: PayerChangeSpec, organization_id: int, source: BillingAccount | None
) -> tuple[list[Named], list[Cause]]:
    """Return the projects that `spec` names now, and a cause for each name that no project has."""
    if spec.projects is None:
        if spec.source and source is None:
            # an account that there is not has no projects; that it is missing is said elsewhere
            return [], []
        projects = selected(organization_id, source, spec.labels).exclude(
            pk__in=_paid_by(spec.account, organization_id)
        )
        return [Named(pk, name, spec.set_field) for pk, name in projects.order_by("name").values_list("pk", "name")], []
    known: dict[str, int] = {}
    for start in range(0, len(spec.projects), 1000):
        part = Project.objects.filter(organization=organization_id, name__in=spec.projects[start : start + 1000])
        known |= dict(part.values_list("name", "pk"))
    fields: dict[str, str] = {}
    for index, name in enumerate(spec.projects):
        fields.setdefault(name, f"{PROJECTS}[{index}]")
    missing = [missing_project(name, field) for name, field in fields.items() if name not in known]
    return [Named(known[name], name, field) for name, field in fields.items() if name in known], missing


def selected(organization_id: int, source: BillingAccount | None, labels: Mapping[str, str] | None) -> ProjectQuerySet:
    """Return the active projects that a set other than by names has now: those of an account, or those with labels."""
    if source:
        return projects_paid_by(source)
    conditions = [Q(HasLabel(key, value)) for key, value in (labels or {}).items()]
    return Project.objects.active().filter(*conditions, organization=organization_id)


def not_included(change: PayerChange) -> ProjectQuerySet:
    """Return the projects that the set of `change` would have if it were resolved now, and does not."""
    if change.projects is not None:
        return Project.objects.none()
    labels = (change.project_selector or {}).get("matchLabels")
    projects = selected(change.organization_id, change.source, labels)
    projects = projects.exclude(pk__in=_paid_by(change.account.name, change.organization_id))
    return projects.exclude(pk__in=change.items.values("project"))


def _paid_by(account: str, organization_id: int) -> QuerySet[BillingAccountBinding, Any]:
    """Return the primary keys of the projects for which the account of that name pays: there is nothing to move."""
    paying = BillingAccountBinding.objects.paying()
    return paying.filter(account__name=account, account__organization=organization_id).values("project")
