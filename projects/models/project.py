from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy
from django_fsm import transition

from milo import audit
from milo.clock import ledger_time
from milo.columns import Columns, fixed
from milo.kube.models import LabelIndex, Resource, ResourceQuerySet
from milo.phases import PhaseField, PhaseLoading
from milo.word_indexes import WordIndex
from projects.models.organization import Organization


class ProjectQuerySet(ResourceQuerySet["Project"]):
    def active(self) -> "ProjectQuerySet":
        """Select projects that are not archived."""
        return self.filter(phase=Project.Phase.ACTIVE)


class Project(PhaseLoading, Resource):
    """A consumer of services, which needs a payer (`billing.models.binding`)."""

    class Phase(models.TextChoices):
        ACTIVE = "Active", gettext_lazy("Active")
        ARCHIVED = "Archived", gettext_lazy("Archived")

    name = models.CharField(
        gettext_lazy("name"),
        max_length=63,
        unique=True,
        help_text=gettext_lazy("DNS-1123 label, unique across the platform."),
    )
    organization = models.ForeignKey(
        Organization, models.PROTECT, related_name="projects", verbose_name=gettext_lazy("organization")
    )
    display_name = models.CharField(gettext_lazy("display name"), max_length=200, blank=True)
    contact_email_addresses = models.JSONField(
        gettext_lazy("contact e-mail addresses"),
        default=list,
        blank=True,
        help_text=gettext_lazy("Who is told when the project's payer changes or is suspended."),
    )
    phase = PhaseField(gettext_lazy("phase"), choices=Phase.choices, default=Phase.ACTIVE, editable=False)
    phase_since = models.DateTimeField(gettext_lazy("in this phase since"), default=ledger_time, editable=False)

    columns = Columns.of(
        fixed("project_identity_fixed", f"{Resource.FIXED} organization_id"),
        # archiving is final
        fixed("project_archived_fixed", "phase phase_since", once="OLD.phase = 'Archived'"),
        free=f"{Resource.FREE} display_name contact_email_addresses",
        personal="contact_email_addresses",
        texts=f"{Resource.TEXTS} display_name",
    )
    history = audit.history(unrecorded=("managed_fields",))
    objects = ProjectQuerySet.as_manager()

    manifest_paths = Resource.manifest_paths | {
        "display_name": "spec.displayName",
        "contact_email_addresses": "spec.contactEmailAddresses",
    }
    name_constraint = "projects_project_name_key"

    class Meta:
        verbose_name = gettext_lazy("project")
        verbose_name_plural = gettext_lazy("projects")
        constraints = [
            # an unknown phase would slip past every rule that checks phases
            models.CheckConstraint(condition=Q(phase__in=["Active", "Archived"]), name="project_known_phase"),
        ]
        indexes = [
            LabelIndex(name="project_labels"),
            # filters and searches of the staff site
            models.Index(fields=["phase", "id"], name="project_by_phase"),
            WordIndex(words=["name", "display_name", "contact_email_addresses"], name="project_words"),
        ]

    @transition("phase", source=Phase.ACTIVE, target=Phase.ARCHIVED)
    def archive(self) -> None:
        """Archive the project for ever. `billing.services.projects.archive_project` also ends its binding."""
        self.phase_since = audit.ledger_time(self)
