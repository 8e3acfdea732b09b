from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy

from billing.models.account import BillingAccount
from billing.models.binding import BillingAccountBinding
from milo import audit
from milo.columns import Columns, fixed
from projects.models import Project
from projects.models.project import ProjectQuerySet

PAYER_ANNOTATION = "billing.milo.io/payer"
"""Annotation of a new project: the account that pays instead of the default one, or `none`."""


class DefaultAccount(models.Model):
    """The account that pays for the new projects of an organization; without an account nobody does."""

    organization = models.OneToOneField(
        "projects.Organization",
        models.PROTECT,
        related_name="default_account",
        verbose_name=gettext_lazy("organization"),
    )
    account = models.ForeignKey(
        BillingAccount,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="default_of",
        verbose_name=gettext_lazy("billing account"),
    )
    since = models.DateTimeField(gettext_lazy("since"), null=True, blank=True)
    # whether a project was created while the account was not Ready: only then the sweep looks for projects
    waiting = models.BooleanField(gettext_lazy("projects wait"), default=False, db_default=False, editable=False)

    columns = Columns.of(
        fixed("default_account_identity_fixed", "id organization_id"),
        free="account_id since waiting",
    )
    history = audit.history(unrecorded=("waiting",), organization="organization__name", time_line="organization")

    class Meta:
        verbose_name = gettext_lazy("default account")
        verbose_name_plural = gettext_lazy("default accounts")
        constraints = [
            # which projects wait for an account is told by comparing their creation with this instant
            models.CheckConstraint(
                condition=Q(account=None, since=None) | Q(account__isnull=False, since__isnull=False),
                name="default_account_since_an_instant",
            ),
        ]
        indexes = [
            # the sweep, every minute
            models.Index(fields=["account"], name="default_account_waiting", condition=Q(waiting=True)),
        ]

    def __str__(self) -> str:
        return f"{self.organization}: {self.account or '-'}"

    def waiting_projects(self) -> ProjectQuerySet:
        """Return the projects created since the account is the default that never had a payer and name none."""
        bindings = BillingAccountBinding.objects.filter(project=OuterRef("pk"))
        created = Project.objects.active().filter(organization=self.organization_id, created_at__gte=self.since)
        return created.exclude(annotations__has_key=PAYER_ANNOTATION).filter(~Exists(bindings))
