import re
import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy

from billing.models.account import BillingAccount
from billing.reason_codes import ReasonCode
from milo import audit
from milo.columns import Columns, fixed
from milo.word_indexes import WordIndex


class SuspensionQuerySet(models.QuerySet["Suspension"]):
    def open(self) -> "SuspensionQuerySet":
        """Select suspensions that are not resolved."""
        return self.filter(resolved_at=None)


class Suspension(models.Model):
    """One reason why an account is suspended; several may be open at once."""

    uid = models.UUIDField(gettext_lazy("UID"), default=uuid.uuid4, unique=True, editable=False)
    account = models.ForeignKey(BillingAccount, models.PROTECT, related_name="suspensions")
    reason_code = models.CharField(gettext_lazy("reason code"), max_length=40, choices=ReasonCode.choices)
    message = models.TextField(gettext_lazy("message for customers"))
    internal_note = models.TextField(
        gettext_lazy("internal note"), blank=True, help_text=gettext_lazy("Customers never see it.")
    )
    payment_profile = models.JSONField(gettext_lazy("payment profile when suspended"), null=True, editable=False)
    suspended_at = models.DateTimeField(gettext_lazy("suspended at"))
    suspended_by = models.CharField(gettext_lazy("suspended by"), max_length=200)
    evidence = models.JSONField(gettext_lazy("evidence"), null=True, blank=True)
    resolved_at = models.DateTimeField(gettext_lazy("resolved at"), null=True, blank=True)
    resolved_by = models.CharField(gettext_lazy("resolved by"), max_length=200, blank=True)

    columns = Columns.of(
        fixed(
            "suspension_identity_fixed",
            "id uid account_id reason_code message internal_note payment_profile suspended_at suspended_by",
        ),
        fixed("suspension_resolution_fixed", "evidence resolved_at resolved_by", once="OLD.resolved_at IS NOT NULL"),
        texts="message internal_note evidence",
        keys="payment_profile.payerAddress payment_profile.payerTaxId evidence.taxRegistrationNumber",
    )
    history = audit.history(
        organization="account__organization__name",
        time_line="account",
    )
    objects = SuspensionQuerySet.as_manager()

    manifest_paths = {
        "message": "spec.message",
        "internal_note": "spec.internalNote",
        "reason_code": "spec.reasonCode",
        "evidence": "spec.evidence",
    }
    # a copy of the account's column, which was searched there
    opaque_columns = frozenset({"payment_profile"})
    # `suspensions.resolve` searches tax numbers by finer rules; the account's payment profile has the method reference
    unsearched_paths = re.compile(r"spec\.evidence\.(taxRegistrationNumber|methodReference)")

    class Meta:
        verbose_name = gettext_lazy("suspension")
        verbose_name_plural = gettext_lazy("suspensions")
        constraints = [
            # every resolution has somebody who answers for it, and evidence
            models.CheckConstraint(
                condition=Q(resolved_at=None, resolved_by="", evidence__isnull=True)
                | (Q(resolved_at__isnull=False, evidence__isnull=False) & ~Q(resolved_by="")),
                name="suspension_resolved_by_someone_with_evidence",
            ),
            models.CheckConstraint(condition=Q(reason_code__in=ReasonCode.values), name="suspension_known_reason_code"),
        ]
        indexes = [
            # open suspensions keep an account suspended
            models.Index(fields=["account"], name="suspension_open", condition=Q(resolved_at=None)),
            # filters and searches of the staff site
            models.Index(fields=["reason_code", "id"], name="suspension_by_reason"),
            WordIndex(words=["suspended_by", "resolved_by", "evidence"], name="suspension_words"),
        ]

    def __str__(self) -> str:
        return f"{self.get_reason_code_display()} ({self.account})"
