import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy

from milo import audit
from milo.columns import Columns, fixed
from projects.models import Project


class PayerLockQuerySet(models.QuerySet["PayerLock"]):
    def open(self) -> "PayerLockQuerySet":
        """Select locks that are not unlocked."""
        return self.filter(unlocked_at=None)


class PayerLock(models.Model):
    """A lock on the payer of a project: until it is unlocked, no other account can pay, and it cannot be archived."""

    uid = models.UUIDField(gettext_lazy("UID"), default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey(
        Project, models.PROTECT, related_name="payer_locks", verbose_name=gettext_lazy("project")
    )
    reason = models.TextField(gettext_lazy("reason"))
    locked_at = models.DateTimeField(gettext_lazy("locked at"))
    locked_by = models.CharField(gettext_lazy("locked by"), max_length=200)
    unlock_reason = models.TextField(gettext_lazy("reason of the unlocking"), blank=True)
    unlocked_at = models.DateTimeField(gettext_lazy("unlocked at"), null=True, blank=True)
    unlocked_by = models.CharField(gettext_lazy("unlocked by"), max_length=200, blank=True)

    columns = Columns.of(
        fixed("payer_lock_identity_fixed", "id uid project_id reason locked_at locked_by"),
        fixed("payer_lock_end_fixed", "unlock_reason unlocked_at unlocked_by", once="OLD.unlocked_at IS NOT NULL"),
        texts="reason unlock_reason",
    )
    history = audit.history(organization="project__organization__name", time_line="project")
    objects = PayerLockQuerySet.as_manager()

    manifest_paths = {"reason": "spec.reason", "unlock_reason": "spec.reason"}

    class Meta:
        verbose_name = gettext_lazy("payer lock")
        verbose_name_plural = gettext_lazy("payer locks")
        constraints = [
            # two locks of one project at once: one unlocking would leave it locked
            models.UniqueConstraint(fields=["project"], condition=Q(unlocked_at=None), name="payer_lock_one_open"),
            models.CheckConstraint(
                condition=Q(unlocked_at=None, unlocked_by="", unlock_reason="")
                | (Q(unlocked_at__isnull=False) & ~Q(unlocked_by="") & ~Q(unlock_reason="")),
                name="payer_lock_unlocked_by_someone_for_a_reason",
            ),
            models.CheckConstraint(
                condition=~Q(locked_by="") & ~Q(reason=""), name="payer_lock_by_someone_for_a_reason"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.project} ({self.reason})"
