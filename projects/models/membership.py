from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy

from milo import audit
from milo.columns import Columns, fixed
from projects.models.organization import Organization


class Membership(models.Model):
    """A role of a person in an organization. Revoking deletes the row; its history remains."""

    class Role(models.TextChoices):
        BILLING_ADMIN = "billing-admin", gettext_lazy("Billing admin")
        BILLING_USER = "billing-user", gettext_lazy("Billing user")
        BILLING_VIEWER = "billing-viewer", gettext_lazy("Billing viewer")

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="memberships")
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="memberships")
    role = models.CharField(gettext_lazy("role"), max_length=20, choices=Role.choices)

    columns = Columns.of(fixed("membership_fixed", "id user_id organization_id role"))
    history = audit.history()

    class Meta:
        verbose_name = gettext_lazy("membership")
        verbose_name_plural = gettext_lazy("memberships")
        constraints = [
            # two concurrent grants of one role
            models.UniqueConstraint(fields=["user", "organization", "role"], name="membership_once"),
            models.CheckConstraint(
                condition=Q(role__in=["billing-admin", "billing-user", "billing-viewer"]),
                name="membership_known_role",
            ),
        ]
        # the filter of the staff site
        indexes = [models.Index(fields=["role", "id"], name="membership_by_role")]

    def __str__(self) -> str:
        try:
            return f"{self.user} {self.role} {self.organization}"
        except ObjectDoesNotExist:
            # a revoked role, whose user the owner of the database has deleted since
            return f"#{self.user_id} {self.role} {self.organization}"
