"""The list and the page of organizations, and the actions on them."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.enums import ActionVariant

from milo.access import Actor
from milo.admin.actions import ServiceAction
from milo.admin.forms import ActForm, Text
from milo.admin.ledger import LedgerAdmin
from milo.admin.panels import Panel, first, link, list_address
from milo.admin.resources import METADATA, ReviseAction, ReviseForm
from projects.access import ORGANIZATIONS
from projects.admin.memberships import GrantRole, role_panels
from projects.admin.projects import CreateProject
from projects.models import Organization, Project
from projects.services.organizations import OrganizationSpec, create_organization, revise_organization


class OrganizationForm(ActForm):
    name = Text(
        max_length=63,
        label=gettext_lazy("Name"),
        help_text=gettext_lazy("Lower case letters, digits and '-'; unique, and fixed for ever."),
    )
    display_name = Text(max_length=200, required=False, label=gettext_lazy("Display name"))

    paths = {"metadata.name": "name", "spec.displayName": "display_name"}


class ReviseOrganizationForm(ReviseForm):
    display_name = OrganizationForm.base_fields["display_name"]

    field_order = ("display_name", "why")
    paths = {**ReviseForm.paths, **OrganizationForm.paths}


class CreateOrganization(ServiceAction):
    name = "create"
    title = gettext_lazy("Create organization")
    icon = "add"
    variant = ActionVariant.PRIMARY
    verb, resource = "create", ORGANIZATIONS
    form_class = OrganizationForm

    def call(self, values: dict[str, Any], *, actor: Actor) -> Organization:
        return create_organization(values["name"], OrganizationSpec(values["display_name"]), actor=actor)


class ReviseOrganization(ReviseAction):
    resource = ORGANIZATIONS
    form_class = ReviseOrganizationForm

    def values_of(self, row: Organization) -> dict[str, Any]:
        return {"display_name": row.display_name}

    def revise(self, values: dict[str, Any], *, actor: Actor) -> Organization:
        return revise_organization(
            self.row.pk,
            OrganizationSpec(values["display_name"]),
            why=values["why"],
            actor=actor,
            resource_version=values["resource_version"],
        )


class OrganizationAdmin(LedgerAdmin):
    resource = ORGANIZATIONS
    icon = "corporate_fare"
    nothing_yet = gettext_lazy("The first organization is created by the button above.")
    phase_colors = {"Active": "success"}
    list_display = ("name", "display_name", "phase_badge", "projects_count", "created_at")
    list_filter = (("phase", ChoicesDropdownFilter),)
    search_fields = ("name", "display_name", "uid")
    ordering = ("name",)
    fieldsets: Sequence[tuple[Any, dict[str, Any]]] = (
        (None, {"fields": ("name", "display_name", "phase_badge")}),
        METADATA,
    )
    list_actions = (CreateOrganization,)
    object_actions: ClassVar[Sequence[type[ServiceAction]]] = (CreateProject, ReviseOrganization, GrantRole)

    def organization_id(self, row: Any) -> int:
        pk: int = row.pk
        return pk

    def get_queryset(self, request: HttpRequest) -> QuerySet[Organization]:
        # a subquery, since a join would count the projects of all organizations for a page of them
        projects = Project.objects.filter(organization=OuterRef("pk")).order_by().values("organization")
        counted = Subquery(projects.annotate(count=Count("pk")).values("count"))
        return super().get_queryset(request).annotate(projects_count=Coalesce(counted, 0))

    @admin.display(description=gettext_lazy("projects"), ordering="projects_count")
    def projects_count(self, row: Any) -> int:
        count: int = row.projects_count
        return count

    def panels(self, request: HttpRequest, row: Any) -> list[Panel]:
        return [self._projects(row), *role_panels(row), *super().panels(request, row)]

    def _projects(self, row: Organization) -> Panel:
        projects, more = first(row.projects.order_by("name"))
        return Panel(
            _("Projects"),
            [_("Name"), _("Display name"), _("Phase")],
            [[link(project), project.display_name, project.get_phase_display()] for project in projects],
            more=list_address(Project, organization__id__exact=row.pk) if more else "",
        )


admin.site.register(Organization, OrganizationAdmin)
