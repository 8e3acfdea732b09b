from collections.abc import Mapping
from datetime import datetime

from django.db import models
from django.db.models import Case, Count, Exists, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy
from django_fsm import transition

from billing.models.account import BillingAccount
from billing.models.binding import BillingAccountBinding
from billing.models.payer_lock import PayerLock
from milo import audit
from milo.columns import Columns, fixed
from milo.kube.models import LabelIndex, Resource, ResourceQuerySet
from milo.phases import PhaseField, PhaseLoading
from milo.word_indexes import WordIndex
from projects.models import Project

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


class PayerChangeItemQuerySet(models.QuerySet["PayerChangeItem"]):
    def pending(self) -> "PayerChangeItemQuerySet":
        """Select items whose project has yet to move."""
        return self.filter(phase=PayerChangeItem.Phase.PENDING)

    def immovable(self) -> "PayerChangeItemQuerySet":
        """Select pending items that would fail now, whatever the phase of the new payer.

        These are the rules of `billing.services.handovers.project_causes`, for ten thousand projects in one query.
        """
        paying = BillingAccountBinding.objects.paying().filter(project=OuterRef("project"))
        already = Q(account=OuterRef("change__account")) | Q(established_at__gte=OuterRef("effective_at"))
        locked = PayerLock.objects.open().filter(project=OuterRef("project"))
        archived = ~Q(project__phase=Project.Phase.ACTIVE)
        return self.pending().filter(archived | Exists(locked) | Exists(paying.filter(already)))

    def due(self, at: datetime) -> "PayerChangeItemQuerySet":
        """Select pending items of which the instant has come at `at` (UTC)."""
        return self.pending().filter(effective_at__lte=at)

    def counts(self) -> dict[int, dict[str, int]]:
        """Return the numbers of items by change (primary key) and phase, in one query."""
        rows: QuerySet[PayerChangeItem, tuple[int, str, int]] = (
            self.order_by().values_list("change", "phase").annotate(number=Count("pk"))
        )
        counts: dict[int, dict[str, int]] = {}
        for change_id, phase, number in rows:
            counts.setdefault(change_id, dict.fromkeys(PayerChangeItem.Phase.values, 0))[phase] = number
        return counts


class PayerChangeItem(models.Model):
    """One project of a payer change, and what came of it."""

    class Phase(models.TextChoices):
        PENDING = "Pending", gettext_lazy("Pending")
        DONE = "Done", gettext_lazy("Done")
        FAILED = "Failed", gettext_lazy("Failed")
        CANCELLED = "Cancelled", gettext_lazy("Cancelled")

    change = models.ForeignKey(
        PayerChange, models.PROTECT, related_name="items", verbose_name=gettext_lazy("payer change")
    )
    project = models.ForeignKey(
        Project, models.PROTECT, related_name="payer_change_items", verbose_name=gettext_lazy("project")
    )
    effective_at = models.DateTimeField(
        gettext_lazy("effective at"), help_text=gettext_lazy("That of the change; of a retry its own.")
    )
    phase = models.CharField(gettext_lazy("phase"), max_length=10, choices=Phase.choices, default=Phase.PENDING)
    reason = models.CharField(gettext_lazy("reason"), max_length=60, blank=True)
    message = models.TextField(gettext_lazy("message"), blank=True)
    binding = models.OneToOneField(
        BillingAccountBinding,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="payer_change_item",
        verbose_name=gettext_lazy("binding"),
    )
    settled_at = models.DateTimeField(gettext_lazy("settled at"), null=True, blank=True)

    columns = Columns.of(
        fixed("payer_change_item_identity_fixed", "id change_id project_id"),
        fixed("payer_change_item_instant_fixed", "effective_at", once="OLD.phase <> 'Failed'"),
        fixed(
            "payer_change_item_outcome_fixed",
            "phase reason message binding_id settled_at",
            once="OLD.phase IN ('Done', 'Cancelled')",
        ),
        # a bind's own message repeats why an account is not Ready
        texts="message",
    )
    objects = PayerChangeItemQuerySet.as_manager()

    class Meta:
        verbose_name = gettext_lazy("project of a payer change")
        verbose_name_plural = gettext_lazy("projects of payer changes")
        constraints = [
            models.UniqueConstraint(fields=["change", "project"], name="payer_change_item_once"),
            # two plans for one project at once: it would move twice, in an order that nobody chose
            models.UniqueConstraint(
                fields=["project"], condition=Q(phase="Pending"), name="payer_change_item_one_open"
            ),
            models.CheckConstraint(
                condition=Q(phase="Pending", settled_at=None, binding=None, reason="")
                | Q(phase="Done", settled_at__isnull=False, binding__isnull=False, reason="")
                | (Q(phase__in=["Failed", "Cancelled"], settled_at__isnull=False, binding=None) & ~Q(reason="")),
                name="payer_change_item_phase_and_outcome",
            ),
        ]
        indexes = [
            # the worker looks for the due ones among all that are settled
            models.Index(fields=["effective_at", "id"], name="payer_change_item_due", condition=Q(phase="Pending")),
            # counts, and the reading by phase
            models.Index(fields=["change", "phase", "id"], name="payer_change_item_by_phase"),
            models.Index(fields=["phase", "id"], name="payer_change_item_of_phase"),
        ]

    def __str__(self) -> str:
        return f"{self.project} ({self.change})"

    def settle(
        self,
        phase: str,
        at: datetime,
        *,
        reason: str = "",
        message: str = "",
        binding: BillingAccountBinding | None = None,
    ) -> None:
        """Record what came of the project at the instant `at` (UTC)."""
        self.phase, self.settled_at, self.reason, self.message, self.binding = phase, at, reason, message, binding

    def take_up_again(self, at: datetime) -> None:
        """Make a failed item pending, effective at the instant `at` (UTC)."""
        self.phase, self.effective_at = self.Phase.PENDING, at
        self.settled_at, self.reason, self.message = None, "", ""
