from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class ProjectsConfig(AppConfig):
    name = "projects"
    verbose_name = gettext_lazy("Projects")

    def ready(self) -> None:
        from projects import access, guards

        access.declare_rules()
        guards.declare_guards()
        from projects.api import kinds  # noqa: F401  registers the kinds, whose revisions background work writes too
