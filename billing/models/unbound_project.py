from django.db import models
from django.utils.translation import gettext_lazy

from projects.models import Project
from projects.models.project import ProjectQuerySet


class UnboundProject(models.Model):
    """An active project for which nobody pays. Derived from projects and bindings, and written by triggers alone.

    To ask all projects and all bindings instead takes a second at a million of them. Triggers keep it
    (billing/guards/unbound_project.py), so that it is right for a version before, and for raw SQL, at each statement.
    """

    project = models.OneToOneField(Project, models.CASCADE, primary_key=True, related_name="unbound")
    created_at = models.DateTimeField(editable=False)
    """When the project was created."""

    class Meta:
        verbose_name = gettext_lazy("unbound project")
        verbose_name_plural = gettext_lazy("unbound projects")
        # the oldest of many: the home page reads the first thousand
        indexes = [models.Index(fields=["created_at"], name="unbound_project_by_age")]

    def __str__(self) -> str:
        return str(self.project)


def unbound_projects() -> ProjectQuerySet:
    """Return the active projects for which nobody pays."""
    return Project.objects.filter(pk__in=UnboundProject.objects.values("project"))
