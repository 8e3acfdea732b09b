from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy

from milo import audit
from milo.columns import Columns, fixed
from milo.kube.models import Resource, ResourceQuerySet
from milo.phases import PhaseField, PhaseLoading
from milo.word_indexes import WordIndex


class Organization(PhaseLoading, Resource):
    """The owner of projects and billing accounts; shown as a Kubernetes namespace of the same name."""

    class Phase(models.TextChoices):
        ACTIVE = "Active", gettext_lazy("Active")

    name = models.CharField(
        gettext_lazy("name"), max_length=63, unique=True, help_text=gettext_lazy("DNS-1123 label, unique.")
    )
    display_name = models.CharField(gettext_lazy("display name"), max_length=200, blank=True)
    phase = PhaseField(gettext_lazy("phase"), choices=Phase.choices, default=Phase.ACTIVE, editable=False)

    # the name is the namespace in every manifest and history row of its objects, so it never changes
    columns = Columns.of(
        fixed("organization_identity_fixed", Resource.FIXED),
        free=f"{Resource.FREE} display_name phase",
        texts=f"{Resource.TEXTS} display_name",
    )
    history = audit.history(unrecorded=("managed_fields",), organization="name")
    objects = ResourceQuerySet.as_manager()

    manifest_paths = Resource.manifest_paths | {"display_name": "spec.displayName"}
    name_constraint = "projects_organization_name_key"

    class Meta:
        verbose_name = gettext_lazy("organization")
        verbose_name_plural = gettext_lazy("organizations")
        constraints = [
            # an unknown phase would slip past every rule that checks phases
            models.CheckConstraint(condition=Q(phase__in=["Active"]), name="organization_known_phase"),
        ]
        indexes = [
            # searches of the staff site
            WordIndex(words=["name", "display_name"], name="organization_words"),
        ]
