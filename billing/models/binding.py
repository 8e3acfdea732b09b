from collections.abc import Mapping
from datetime import datetime

from django.apps import apps
from django.db import models
from django.db.models import F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy
from django_fsm import transition

from billing.models.account import BillingAccount
from milo import audit
from milo.columns import Columns, fixed
from milo.compiled_queries import Param
from milo.dates import first_of_month
from milo.kube.models import LabelIndex, Resource, ResourceQuerySet
from milo.phases import PhaseField, PhaseLoading
from milo.word_indexes import WordIndex
from projects.models import Project
from projects.models.project import ProjectQuerySet


class BillingAccountBindingQuerySet(ResourceQuerySet["BillingAccountBinding"]):
    def paying(self, at: datetime | Param | None = None) -> "BillingAccountBindingQuerySet":
        """Select the bindings in force at the instant `at` (UTC), by default now: the only definition of "who pays".

        Intervals are half open: a binding is in force from `established_at` up to, not including, `ended_at`.
        """
        if at is None:
            return self.filter(phase=BillingAccountBinding.Phase.ACTIVE)
        return self.filter(Q(ended_at=None) | Q(ended_at__gt=at), established_at__lte=at)

    def ahead(self, at: datetime | None = None) -> "BillingAccountBindingQuerySet":
        """Select the bindings that begin or end after the instant `at` (UTC), by default now: a clock was wrong."""
        at = at or timezone.now()
        return self.filter(Q(established_at__gt=at) | Q(ended_at__gt=at))

    def with_payer_of_record(self, at: datetime | Param | None = None) -> "BillingAccountBindingQuerySet":
        """Annotate bindings with `payer_of_record`: the key of the account invoiced for usage at `at` (UTC, or now).

        A `Param` stands for the first day of the month.
        """
        month = at if isinstance(at, Param) else first_of_month(at or timezone.now())
        rows = apps.get_model("billing.AccountPayer").objects.in_month(month).filter(account=OuterRef("account"))
        payer = Coalesce(Subquery(rows.values("payer")[:1]), F("account"), output_field=models.BigIntegerField())
        return self.annotate(payer_of_record=payer)

    def timeline(self, project: Project) -> "BillingAccountBindingQuerySet":
        """Return all bindings of `project`, oldest first, with accounts and successors: contiguous intervals."""
        return self.filter(project=project).select_related("account", "superseded_by").order_by("established_at")


def projects_paid_by(account: BillingAccount, at: datetime | None = None) -> ProjectQuerySet:
    """Return the projects that `account` pays for at the instant `at` (UTC), by default now."""
    return Project.objects.filter(
        pk__in=BillingAccountBinding.objects.paying(at).filter(account=account).values("project")
    )


def paid_by(account: str) -> Q:
    """Return the condition that an account named `account` pays for a project now; if empty, that nobody does."""
    paying = BillingAccountBinding.objects.paying()
    if not account:
        return ~Q(pk__in=paying.values("project"))
    # `ended_at=None` repeats the phase so that the partial index of active bindings is used
    return Q(pk__in=paying.filter(account__name=account, ended_at=None).values("project"))


class BillingAccountBinding(PhaseLoading, Resource):
    """The responsibility of an account for a project from an instant on. Immutable; a new binding supersedes it."""

    class Phase(models.TextChoices):
        ACTIVE = "Active", gettext_lazy("Active")
        SUPERSEDED = "Superseded", gettext_lazy("Superseded")
        ENDED = "Ended", gettext_lazy("Ended")

    class EndReason(models.TextChoices):
        SUPERSEDED = "Superseded", gettext_lazy("Superseded")
        PROJECT_ARCHIVED = "ProjectArchived", gettext_lazy("Project archived")

    project = models.ForeignKey(Project, models.PROTECT, related_name="bindings", verbose_name=gettext_lazy("project"))
    account = models.ForeignKey(
        BillingAccount, models.PROTECT, related_name="bindings", verbose_name=gettext_lazy("billing account")
    )
    organization = models.ForeignKey("projects.Organization", models.PROTECT, related_name="bindings")
    supersedes = models.OneToOneField(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="superseded_by",
        verbose_name=gettext_lazy("supersedes"),
    )
    phase = PhaseField(gettext_lazy("phase"), choices=Phase.choices, default=Phase.ACTIVE, editable=False)
    established_at = models.DateTimeField(gettext_lazy("established at"), editable=False)
    ended_at = models.DateTimeField(gettext_lazy("ended at"), null=True, editable=False)
    end_reason = models.CharField(gettext_lazy("end reason"), max_length=60, blank=True, editable=False)

    # who paid when must not change afterwards, not even by SQL
    columns = Columns.of(
        fixed(
            "binding_identity_fixed",
            f"{Resource.FIXED} organization_id project_id account_id supersedes_id",
        ),
        # except by an approved request, out of a future that a wrong clock has written (billing/guards/binding.py)
        fixed("binding_start_fixed", "established_at"),
        fixed("binding_end_fixed", "phase ended_at end_reason", once="OLD.phase <> 'Active'"),
        free=Resource.FREE,
        texts=Resource.TEXTS,
    )
    history = audit.history(unrecorded=("managed_fields",))
    objects = BillingAccountBindingQuerySet.as_manager()
    name_constraint = "binding_name_in_organization"
    ENDING = ("phase", "ended_at", "end_reason")
    """The columns that its end changes."""

    class Meta:
        verbose_name = gettext_lazy("billing account binding")
        verbose_name_plural = gettext_lazy("billing account bindings")
        constraints = [
            # two binds of one name at once
            models.UniqueConstraint(fields=["organization", "name"], name="binding_name_in_organization"),
            # two binds of one project at once: it has one payer
            models.UniqueConstraint(fields=["project"], condition=Q(phase="Active"), name="binding_one_active"),
            models.CheckConstraint(
                condition=Q(phase__in=["Active", "Superseded", "Ended"]), name="binding_known_phase"
            ),
            # a phase without the end, or an end without the phase, would leave two payers or none
            models.CheckConstraint(
                condition=Q(phase="Active", ended_at=None) | (~Q(phase="Active") & Q(ended_at__isnull=False)),
                name="binding_ended_unless_active",
            ),
            # a clock that ran backwards between two handovers
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gt=F("established_at")), name="binding_ends_after_start"
            ),
        ]
        indexes = [
            # who paid at an instant; the timeline
            models.Index(fields=["project", "established_at"], name="binding_timeline"),
            # what an account pays for now
            models.Index(fields=["account"], name="binding_active_of_account", condition=Q(ended_at=None)),
            # what an account paid for at an instant, without reading what had ended by then
            models.Index(fields=["account", "ended_at"], name="binding_ended_of_account"),
            # the list of the staff site, newest first
            models.Index(fields=["-established_at", "-id"], name="binding_newest_first"),
            LabelIndex(name="binding_labels"),
            # filters and searches of the staff site
            models.Index(fields=["phase", "id"], name="binding_by_phase"),
            WordIndex(words=["name"], name="binding_words"),
        ]

    @transition("phase", source=Phase.ACTIVE, target=Phase.SUPERSEDED)
    def supersede(self, at: datetime) -> None:
        """End at the instant `at` (UTC), at which another binding takes over."""
        self.ended_at, self.end_reason = at, self.EndReason.SUPERSEDED

    @transition("phase", source=Phase.ACTIVE, target=Phase.ENDED)
    def end(self, at: datetime, reason: str) -> None:
        """End at the instant `at` (UTC) without a successor: the project is archived."""
        self.ended_at, self.end_reason = at, reason

    def redate(self, instants: Mapping[datetime, datetime]) -> None:
        """Move start and end where `instants` (before to after, UTC) has them. Guards accept it in an approval only."""
        self.established_at = instants.get(self.established_at, self.established_at)
        if self.ended_at:
            self.ended_at = instants.get(self.ended_at, self.ended_at)
