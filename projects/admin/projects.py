"""The list and the page of projects, and the actions on them. `billing.admin.projects` adds who pays."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.enums import ActionVariant

from milo.access import Actor
from milo.admin.actions import ServiceAction
from milo.admin.forms import ActForm, Lines, Text
from milo.admin.json_searches import JsonSearches
from milo.admin.ledger import LedgerAdmin
from milo.admin.panels import lines, link
from milo.admin.related_filters import RelatedFilter
from milo.admin.resources import METADATA, ReviseAction, ReviseForm
from milo.admin.suggestions import SuggestedRow
from projects.access import PROJECTS
from projects.models import Organization, Project
from projects.services.projects import ProjectSpec, create_project, revise_project

PATHS = {
    "metadata.name": "name",
    "spec.organizationRef": "organization",
    "spec.displayName": "display_name",
    "spec.contactEmailAddresses": "contact_email_addresses",
}


def spec_of(values: dict[str, Any]) -> ProjectSpec:
    return ProjectSpec(values["display_name"], values["contact_email_addresses"])


class ProjectForm(ActForm):
    """A new project. The field `organization` is left out on the page of an organization."""

    organization = SuggestedRow(Organization.objects.all(), label=gettext_lazy("Organization"))
    name = Text(
        max_length=63,
        label=gettext_lazy("Name"),
        help_text=gettext_lazy("Lower case letters, digits and '-'; unique across the platform, and fixed for ever."),
    )
    display_name = Text(max_length=200, required=False, label=gettext_lazy("Display name"))
    contact_email_addresses = Lines(
        required=False,
        label=gettext_lazy("Contact e-mail addresses"),
        help_text=gettext_lazy("One per line. They get a notice when the project's payer changes or is suspended."),
    )

    paths = PATHS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.row is not None:
            del self.fields["organization"]


class ReviseProjectForm(ReviseForm):
    display_name = ProjectForm.base_fields["display_name"]
    contact_email_addresses = ProjectForm.base_fields["contact_email_addresses"]

    field_order = ("display_name", "contact_email_addresses", "why")
    paths = {**ReviseForm.paths, **PATHS}


class CreateProject(ServiceAction):
    """Offered in the list of projects and on the page of an organization."""

    name = "create-project"
    title = gettext_lazy("Create project")
    icon = "add"
    variant = ActionVariant.PRIMARY
    verb, resource = "create", PROJECTS
    form_class = ProjectForm

    def call(self, values: dict[str, Any], *, actor: Actor) -> Project:
        organization = self.row or values["organization"]
        return create_project(values["name"], organization.pk, spec_of(values), actor=actor)


class ReviseProject(ReviseAction):
    resource = PROJECTS
    form_class = ReviseProjectForm

    @classmethod
    def offered(cls, row: Project) -> bool:
        return row.phase == Project.Phase.ACTIVE

    def values_of(self, row: Project) -> dict[str, Any]:
        return {"display_name": row.display_name, "contact_email_addresses": row.contact_email_addresses}

    def revise(self, values: dict[str, Any], *, actor: Actor) -> Project:
        return revise_project(
            self.row.pk,
            spec_of(values),
            why=values["why"],
            actor=actor,
            resource_version=values["resource_version"],
        )


class ProjectAdmin(JsonSearches, LedgerAdmin):
    resource = PROJECTS
    icon = "deployed_code"
    nothing_yet = gettext_lazy("Projects are created by a button on the page of their organization.")
    phase_colors = {"Active": "success"}
    list_display: tuple[str, ...] = ("name", "display_name", "organization_link", "phase_badge", "created_at")
    list_filter: tuple[Any, ...] = (("organization", RelatedFilter), ("phase", ChoicesDropdownFilter))
    list_select_related = ("organization",)
    search_fields = ("name", "display_name", "organization__name", "uid")
    json_search_fields = ("contact_email_addresses",)
    ordering = ("name",)
    fieldsets: Sequence[tuple[Any, dict[str, Any]]] = (
        (
            None,
            {"fields": ("name", "display_name", "organization_link", "contacts", "phase_badge", "phase_since")},
        ),
        METADATA,
    )
    list_actions: ClassVar[Sequence[type[ServiceAction]]] = (CreateProject,)
    object_actions: ClassVar[Sequence[type[ServiceAction]]] = (ReviseProject,)

    @admin.display(description=gettext_lazy("organization"), ordering="organization__name")
    def organization_link(self, row: Project) -> str:
        return link(row.organization)

    @admin.display(description=gettext_lazy("contact e-mail addresses"))
    def contacts(self, row: Project) -> str:
        return lines(row.contact_email_addresses)


admin.site.register(Project, ProjectAdmin)
