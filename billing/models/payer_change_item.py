"""Projects of payer changes."""

from datetime import datetime

from django.db import models
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy

from billing.models.binding import BillingAccountBinding
from billing.models.payer_lock import PayerLock
from milo.columns import Columns, fixed
from projects.models import Project


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
        "billing.PayerChange", models.PROTECT, related_name="items", verbose_name=gettext_lazy("payer change")
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
