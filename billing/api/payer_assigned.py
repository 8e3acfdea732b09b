"""The condition `PayerAssigned` of every project: whether an account pays for it, and why not."""

from typing import Any

from django.db.models import F

from billing.models import BillingAccount, BillingAccountBinding
from billing.models.default_account import PAYER_ANNOTATION
from billing.services.default_accounts import NONE
from milo.kube.models import ResourceQuerySet
from milo.kube.store.manifests import condition
from projects.models import Project

TYPE = "PayerAssigned"


def with_default(projects: ResourceQuerySet[Project]) -> ResourceQuerySet[Project]:
    """Annotate projects with the default account of their organizations, for `assigned`: a join, not a query."""
    default = "organization__default_account"
    return projects.annotate(
        default_since=F(f"{default}__since"),
        default_name=F(f"{default}__account__name"),
        default_phase=F(f"{default}__account__phase"),
        default_message=F(f"{default}__account__phase_message"),
    )


def assigned(project: Project, paying: BillingAccountBinding | None) -> dict[str, Any]:
    """Return the condition of a project and its active binding; without one, of a project that `with_default` read."""
    if paying:
        message = f"{paying.account.name} pays for the project"
        return condition(TYPE, True, paying.established_at, TYPE, message, project.generation)
    reason, message = _missing(project)
    return condition(TYPE, False, project.phase_since, reason, message, project.generation)


def _missing(project: Any) -> tuple[str, str]:
    """Return reason and message of a project without a payer."""
    if project.phase == Project.Phase.ARCHIVED:
        return "ProjectArchived", "Nobody pays for an archived project"
    if project.annotations.get(PAYER_ANNOTATION) == NONE:
        return "OptedOut", f"Nobody pays: the annotation {PAYER_ANNOTATION} is {NONE}"
    if _waits(project):
        why = f"{project.default_name} is {project.default_phase}, not Ready: {project.default_message}"
        return "DefaultAccountNotReady", f"The default account {why}"
    return "Unbound", "No account is bound to the project"


def _waits(project: Any) -> bool:
    if project.default_name is None or PAYER_ANNOTATION in project.annotations:
        return False
    ready = project.default_phase == BillingAccount.Phase.READY
    return not ready and bool(project.created_at >= project.default_since)
