from collections.abc import Mapping
from datetime import datetime

from django.db import models
from django.db.models import Case, Count, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy
from django_fsm import transition

from billing.models.account import BillingAccount
from billing.models.payer_change_item import PayerChangeItem
from milo import audit
from milo.columns import Columns, fixed
from milo.kube.models import LabelIndex, Resource, ResourceQuerySet
from milo.phases import PhaseField, PhaseLoading
from milo.word_indexes import WordIndex

_OPEN = ["Scheduled", "InProgress"]
_BY_ITSELF = Q(account__paid_by=None) | Q(account__paid_by__phase=BillingAccount.Phase.READY)
_TARGET_READY = Q(account__phase=BillingAccount.Phase.READY) & _BY_ITSELF
AT_RISK = ~_TARGET_READY | Q(immovable__gt=0)
"""Of plans that `foreseen` annotated: all or some of their projects will not move as things are."""


class PayerChangeQuerySet(ResourceQuerySet["PayerChange"]):
    def open(self) -> "PayerChangeQuerySet":
        """Select plans that have not ended."""
        return self.filter(phase__in=_OPEN)

    def foreseen(self) -> "PayerChangeQuerySet":
        """Annotate plans with `immovable`: how many of their projects a bind would refuse now; 0 once they ended."""
        items = PayerChangeItem.objects.immovable().filter(change=OuterRef("pk")).order_by()
        number = Subquery(items.values("change").annotate(number=Count("pk")).values("number"))
        return self.annotate(
            immovable=Case(
                When(phase__in=_OPEN, then=Coalesce(number, 0)),
                default=Value(0),
                output_field=models.IntegerField(),
            )
        )

    def at_risk(self) -> "PayerChangeQuerySet":
        """Select plans that will not take effect as things are, for all of their projects or for some."""
        return self.open().foreseen().filter(AT_RISK)


class PayerChange(PhaseLoading, Resource):
    """A plan to make one account the payer of many projects at an instant. A plan is no fact: its bindings are."""

    class Phase(models.TextChoices):
        SCHEDULED = "Scheduled", gettext_lazy("Scheduled")
        IN_PROGRESS = "InProgress", gettext_lazy("In progress")
        COMPLETED = "Completed", gettext_lazy("Completed")
        PARTLY_COMPLETED = "PartlyCompleted", gettext_lazy("Partly completed")
        FAILED = "Failed", gettext_lazy("Failed")
        CANCELLED = "Cancelled", gettext_lazy("Cancelled")

    OPEN = (Phase.SCHEDULED, Phase.IN_PROGRESS)
    RETRIABLE = (Phase.PARTLY_COMPLETED, Phase.FAILED)

    organization = models.ForeignKey("projects.Organization", models.PROTECT, related_name="payer_changes")
    account = models.ForeignKey(
        BillingAccount, models.PROTECT, related_name="payer_changes", verbose_name=gettext_lazy("new payer")
    )
    # one of these three says which projects; the rows of items are what it came to
    projects = models.JSONField(gettext_lazy("projects"), null=True, blank=True)
    source = models.ForeignKey(
        BillingAccount,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="payer_changes_away",
        verbose_name=gettext_lazy("all projects of"),
    )
    project_selector = models.JSONField(gettext_lazy("project selector"), null=True, blank=True)
    effective_at = models.DateTimeField(gettext_lazy("effective at"))
    at_once = models.BooleanField(gettext_lazy("at once"), help_text=gettext_lazy("No instant was named."))
    atomic = models.BooleanField(gettext_lazy("all or none"))
    reason = models.TextField(gettext_lazy("reason"))
    created_by = models.CharField(gettext_lazy("created by"), max_length=200, editable=False)
    phase = PhaseField(gettext_lazy("phase"), choices=Phase.choices, default=Phase.SCHEDULED, editable=False)
    obstacle = models.TextField(
        gettext_lazy("obstacle"),
        blank=True,
        editable=False,
        help_text=gettext_lazy("Why it will not take effect, as the change log says."),
    )
    finished_at = models.DateTimeField(gettext_lazy("finished at"), null=True, editable=False)
    total = models.PositiveIntegerField(gettext_lazy("projects in total"), null=True, editable=False)
    done = models.PositiveIntegerField(gettext_lazy("projects moved"), null=True, editable=False)
    failed = models.PositiveIntegerField(gettext_lazy("projects that failed"), null=True, editable=False)
    cancelled = models.PositiveIntegerField(gettext_lazy("projects cancelled"), null=True, editable=False)

    # what was previewed and announced is what takes effect
    columns = Columns.of(
        fixed(
            "payer_change_identity_fixed",
            f"{Resource.FIXED} organization_id account_id projects source_id project_selector effective_at at_once"
            " atomic reason created_by",
        ),
        fixed(
            "payer_change_outcome_fixed",
            "phase finished_at total done failed cancelled",
            once="OLD.phase IN ('Completed', 'Cancelled')",
        ),
        free=f"{Resource.FREE} obstacle",
        texts=f"{Resource.TEXTS} reason obstacle",
    )
    history = audit.history(unrecorded=("managed_fields",))
    objects = PayerChangeQuerySet.as_manager()

    manifest_paths = Resource.manifest_paths | {
        "reason": "spec.reason",
        "projects": "spec.projects",
        "project_selector": "spec.projectSelector",
    }
    name_constraint = "payer_change_name_in_organization"

    class Meta:
        verbose_name = gettext_lazy("payer change")
        verbose_name_plural = gettext_lazy("payer changes")
        constraints = [
            # two plans of one name at once
            models.UniqueConstraint(fields=["organization", "name"], name="payer_change_name_in_organization"),
            models.CheckConstraint(
                condition=Q(phase__in=[*_OPEN, "Completed", "PartlyCompleted", "Failed", "Cancelled"]),
                name="payer_change_known_phase",
            ),
            models.CheckConstraint(
                condition=Q(projects__isnull=False, source=None, project_selector__isnull=True)
                | Q(projects__isnull=True, source__isnull=False, project_selector__isnull=True)
                | Q(projects__isnull=True, source=None, project_selector__isnull=False),
                name="payer_change_selects_one_way",
            ),
            # counts of a plan that goes on would be wrong the next moment
            models.CheckConstraint(
                condition=Q(phase__in=_OPEN, finished_at=None, total=None, done=None, failed=None, cancelled=None)
                | (
                    ~Q(phase__in=_OPEN)
                    & Q(
                        finished_at__isnull=False,
                        total__isnull=False,
                        done__isnull=False,
                        failed__isnull=False,
                        cancelled__isnull=False,
                    )
                ),
                name="payer_change_counts_when_finished",
            ),
            models.CheckConstraint(
                condition=~Q(created_by="") & ~Q(reason=""), name="payer_change_by_someone_for_a_reason"
            ),
        ]
        indexes = [
            # the few that wait among all that ended: closure blockers, conditions
            models.Index(fields=["account", "effective_at"], name="payer_change_open", condition=Q(phase__in=_OPEN)),
            # the list of the staff site, newest first
            models.Index(fields=["-created_at", "-id"], name="payer_change_newest_first"),
            LabelIndex(name="payer_change_labels"),
            # filters and searches of the staff site
            models.Index(fields=["phase", "id"], name="payer_change_by_phase"),
            WordIndex(words=["name", "created_by"], name="payer_change_words"),
        ]

    @transition("phase", source=Phase.SCHEDULED, target=Phase.IN_PROGRESS)
    def begin(self) -> None:
        """The first of its projects moves."""

    @transition("phase", source=RETRIABLE, target=Phase.IN_PROGRESS)
    def retry(self) -> None:
        """Failed projects are taken up again."""
        self.finished_at = self.total = self.done = self.failed = self.cancelled = None

    @transition("phase", source=OPEN, target=Phase.COMPLETED)
    def complete(self, at: datetime, counts: "Counts") -> None:
        """Every project moved that was not cancelled."""
        self._finished(at, counts)

    @transition("phase", source=OPEN, target=Phase.PARTLY_COMPLETED)
    def complete_partly(self, at: datetime, counts: "Counts") -> None:
        """Some projects moved, others failed."""
        self._finished(at, counts)

    @transition("phase", source=OPEN, target=Phase.FAILED)
    def fail(self, at: datetime, counts: "Counts") -> None:
        """No project moved."""
        self._finished(at, counts)

    @transition("phase", source=OPEN, target=Phase.CANCELLED)
    def cancel(self, at: datetime, counts: "Counts") -> None:
        """The projects that had not moved stay where they are."""
        self._finished(at, counts)

    def _finished(self, at: datetime, counts: "Counts") -> None:
        self.finished_at, self.total = at, sum(counts.values())
        self.done, self.failed, self.cancelled = (counts[phase] for phase in ("Done", "Failed", "Cancelled"))


Counts = Mapping[str, int]
"""Numbers of items, by their phases; every phase is there."""
