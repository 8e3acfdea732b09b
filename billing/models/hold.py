import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy

from billing.models.account import BillingAccount
from milo import audit
from milo.columns import Columns, fixed
from milo.word_indexes import WordIndex


class HoldQuerySet(models.QuerySet["Hold"]):
    def open(self) -> "HoldQuerySet":
        """Select holds that are not released."""
        return self.filter(released_at=None)


class Hold(models.Model):
    """A hold: until it is released, its account cannot be closed and its data cannot be purged."""

    class Type(models.TextChoices):
        LEGAL = "LegalHold", gettext_lazy("Legal hold")
        DISPUTE = "Dispute", gettext_lazy("Dispute")

    uid = models.UUIDField(gettext_lazy("UID"), default=uuid.uuid4, unique=True, editable=False)
    account = models.ForeignKey(BillingAccount, models.PROTECT, related_name="holds")
    type = models.CharField(gettext_lazy("type"), max_length=20, choices=Type.choices)
    message = models.TextField(gettext_lazy("message for customers"), blank=True, db_default="")
    # apart from `message`: customers must not read why a legal hold was set
    reason = models.TextField(
        gettext_lazy("internal note"), blank=True, help_text=gettext_lazy("Customers never see it.")
    )
    set_at = models.DateTimeField(gettext_lazy("set at"))
    set_by = models.CharField(gettext_lazy("set by"), max_length=200)
    release_reason = models.TextField(gettext_lazy("reason of the release"), blank=True)
    released_at = models.DateTimeField(gettext_lazy("released at"), null=True, blank=True)
    released_by = models.CharField(gettext_lazy("released by"), max_length=200, blank=True)

    columns = Columns.of(
        fixed("hold_identity_fixed", "id uid account_id type message reason set_at set_by"),
        fixed("hold_release_fixed", "release_reason released_at released_by", once="OLD.released_at IS NOT NULL"),
        texts="message reason release_reason",
    )
    history = audit.history(
        organization="account__organization__name",
        time_line="account",
    )
    objects = HoldQuerySet.as_manager()

    # the seals of the first version do not cover it
    later_columns = frozenset({"message"})
    manifest_paths = {"message": "spec.message", "reason": "spec.internalNote", "release_reason": "spec.justification"}

    class Meta:
        verbose_name = gettext_lazy("hold")
        verbose_name_plural = gettext_lazy("holds")
        constraints = [
            models.CheckConstraint(
                condition=Q(released_at=None, released_by="")
                | (Q(released_at__isnull=False) & ~Q(released_by="") & ~Q(release_reason="")),
                name="hold_released_by_someone_for_a_reason",
            ),
            models.CheckConstraint(condition=Q(type__in=["LegalHold", "Dispute"]), name="hold_known_type"),
        ]
        indexes = [
            # filters and searches of the staff site
            models.Index(fields=["type", "id"], name="hold_by_type"),
            models.Index(fields=["id"], name="hold_open", condition=Q(released_at=None)),
            WordIndex(words=["set_by", "released_by"], name="hold_words"),
        ]

    @property
    def described(self) -> str:
        """Return what customers may read: the type, and the message if there is one."""
        return f"{self.type}: {self.message}" if self.message else str(self.type)

    def __str__(self) -> str:
        return f"{self.get_type_display()} ({self.account})"
