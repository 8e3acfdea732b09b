"""Why the payer of a project is locked: the refusal of every act that would change it. `payer_locks` locks it."""

from collections.abc import Iterable

from django.utils.translation import gettext as _

from billing.models import PayerLock
from milo.errors import Invalid
from projects.models import Project


def why_locked(projects: Iterable[int]) -> dict[int, str]:
    """Return why the payers of `projects` (primary keys) cannot change: a sentence for each that is locked.

    One query, for one project or many. The caller holds the locks of the projects where it relies on the answer.
    """
    locks = PayerLock.objects.open().filter(project__in=projects).select_related("project")
    return {lock.project_id: _refusal(lock) for lock in locks}


def _refusal(lock: PayerLock) -> str:
    message = _("the payer of %(project)s is locked since %(day)s by %(by)s (%(reason)s): unlock it first")
    return message % {
        "project": lock.project.name,
        "day": lock.locked_at.date(),
        "by": lock.locked_by.removeprefix("user:"),
        "reason": lock.reason,
    }


def refuse_locked(project: Project) -> None:
    """Raise `Invalid` if the payer of `project`, locked by the caller, is locked."""
    if why := why_locked([project.pk]).get(project.pk):
        raise Invalid(why)
