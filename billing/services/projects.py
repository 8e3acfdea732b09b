"""Acts on projects that move responsibility."""

from billing.services import bindings
from milo import audit
from milo.access import Actor
from projects.access import PROJECTS
from projects.models import Project


def archive_project(project_id: int, *, actor: Actor) -> Project:
    """Archive a project for ever, ending its active binding in the same transaction.

    Archiving an archived project changes nothing. Raises `Forbidden`.
    """
    with audit.transaction():
        project = Project.objects.locked().get(pk=project_id)
        actor.require("create", PROJECTS, project.organization_id, act="archive")
        if project.phase == Project.Phase.ARCHIVED:
            return project
        bindings.end_with_project(project, actor=actor)
        project.archive()
        return audit.save_as(actor, project, reason="ProjectArchived")
