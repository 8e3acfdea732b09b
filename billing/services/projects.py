"""Actions on projects that change who pays."""

from billing.services import bindings
from billing.services.locked_payers import refuse_locked
from milo import audit
from milo.access import Actor
from projects.access import PROJECTS
from projects.models import Project


def archive_project(project_id: int, *, actor: Actor) -> Project:
    """Archive a project, and end its active binding in the same transaction. There is no way back.

    Idempotent: an archived project is not changed. Raises `Forbidden`, and `Invalid` if its payer is locked.
    """
    with audit.transaction():
        project = Project.objects.locked().get(pk=project_id)
        actor.require("create", PROJECTS, project.organization_id, action="archive")
        if project.phase == Project.Phase.ARCHIVED:
            return project
        refuse_locked(project)
        bindings.end_with_project(project, actor=actor)
        project.archive()
        return audit.save_as(actor, project, reason="ProjectArchived")
