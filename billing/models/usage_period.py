"""Later decisions about usage: closing a month, and assigning a span without a payer to an account."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy

from billing.models.account import BillingAccount
from milo import audit
from milo.columns import Columns


class UsageClosing(models.Model):
    """The closing of an account's months before `opens_on`; later events for them count in the first open month."""

    account = models.ForeignKey(
        BillingAccount, models.PROTECT, related_name="usage_closings", verbose_name=gettext_lazy("billing account")
    )
    opens_on = models.DateField(
        gettext_lazy("first open month"), help_text=gettext_lazy("The month after the last that is closed.")
    )
    closed_at = models.DateTimeField(gettext_lazy("closed at"))
    closed_by = models.CharField(gettext_lazy("closed by"), max_length=200)
    reason = models.TextField(gettext_lazy("reason"))

    columns = Columns.of(texts="reason")
    history = audit.history(organization="account__organization__name", time_line="account")

    class Meta:
        verbose_name = gettext_lazy("usage closing")
        verbose_name_plural = gettext_lazy("usage closings")
        constraints = [
            # two concurrent closings of one month
            models.UniqueConstraint(fields=["account", "opens_on"], name="usage_closing_once"),
        ]

    def __str__(self) -> str:
        return f"{self.account} until {self.opens_on}"


class UsageAssignment(models.Model):
    """Usage of a project in a span without a payer, assigned to an account by an approved request."""

    project = models.ForeignKey("projects.Project", models.PROTECT, related_name="usage_assignments")
    account = models.ForeignKey(BillingAccount, models.PROTECT, related_name="usage_assignments")
    request = models.OneToOneField("billing.ApprovalRequest", models.PROTECT, related_name="usage_assignment")
    starts_at = models.DateTimeField(gettext_lazy("from"))
    ends_at = models.DateTimeField(gettext_lazy("until"), help_text=gettext_lazy("Not included."))
    assigned_at = models.DateTimeField(gettext_lazy("assigned at"))

    history = audit.history(organization="account__organization__name", time_line="account")

    class Meta:
        verbose_name = gettext_lazy("usage assignment")
        verbose_name_plural = gettext_lazy("usage assignments")
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="usage_assignment_ends_after_start"),
            # bindings decide who pays in the future
            models.CheckConstraint(condition=Q(ends_at__lte=F("assigned_at")), name="usage_assignment_of_the_past"),
        ]
        indexes = [models.Index(fields=["project", "starts_at"], name="usage_assignment_timeline")]

    def __str__(self) -> str:
        return f"{self.project} {self.starts_at} {self.ends_at}"
