from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy

from billing.models.account import BillingAccount
from milo import audit
from projects.models import Project


class PayerCorrectionQuerySet(models.QuerySet["PayerCorrection"]):
    def covering(self, at: datetime | Any) -> "PayerCorrectionQuerySet":
        """Select the corrections that cover the instant `at` (UTC), the one that counts first: the latest recorded."""
        return self.filter(starts_at__lte=at, ends_at__gt=at).order_by("-recorded_at")

    def overlapping(self, start: datetime, end: datetime) -> "PayerCorrectionQuerySet":
        """Select the corrections that cover an instant from `start` up to, not including, `end`, oldest first."""
        return self.filter(starts_at__lt=end, ends_at__gt=start).order_by("recorded_at")


class PayerCorrection(models.Model):
    """An approved statement that another account should have paid for a project in a span of the past.

    It lies over bindings, which stay as they are: who paid at an instant is the account of the latest correction that
    covers it, else that of the binding.
    """

    project = models.ForeignKey(Project, models.PROTECT, related_name="payer_corrections")
    account = models.ForeignKey(
        BillingAccount,
        models.PROTECT,
        related_name="payer_corrections",
        verbose_name=gettext_lazy("account that should have paid"),
    )
    request = models.OneToOneField("billing.ApprovalRequest", models.PROTECT, related_name="payer_correction")
    starts_at = models.DateTimeField(gettext_lazy("from"))
    ends_at = models.DateTimeField(gettext_lazy("until"), help_text=gettext_lazy("Not included."))
    recorded_at = models.DateTimeField(
        gettext_lazy("recorded at"), db_index=True, help_text=gettext_lazy("Before it, the ledger knew the old payer.")
    )

    history = audit.history(organization="account__organization__name", time_line="account")
    objects = PayerCorrectionQuerySet.as_manager()

    class Meta:
        verbose_name = gettext_lazy("correction of the payer")
        verbose_name_plural = gettext_lazy("corrections of payers")
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="payer_correction_ends_after_start"),
            # bindings alone decide who pays from now on
            models.CheckConstraint(condition=Q(ends_at__lte=F("recorded_at")), name="payer_correction_of_the_past"),
            # two corrections of one instant would have no order, and so no answer to who paid
            models.UniqueConstraint(fields=["project", "recorded_at"], name="payer_correction_in_order"),
        ]
        indexes = [models.Index(fields=["project", "starts_at"], name="payer_correction_timeline")]

    def __str__(self) -> str:
        return f"{self.project} {self.starts_at} {self.ends_at}"
