import re
from datetime import date

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy

from billing.models.account import BillingAccount
from milo import audit
from milo.columns import Columns, fixed
from milo.decimals import ExactDecimalField
from milo.kube.models import Resource, ResourceQuerySet
from milo.word_indexes import WordIndex


class ChargeQuerySet(ResourceQuerySet["Charge"]):
    def unsettled(self) -> "ChargeQuerySet":
        """Select charges that are not settled."""
        return self.filter(settled_at=None)

    def overdue(self, on: date) -> "ChargeQuerySet":
        """Select unsettled charges that were due before the day `on`."""
        return self.unsettled().filter(due_date__lt=on)


class Charge(Resource):
    """An outstanding charge, reported by an external billing system. Milo neither prices nor collects."""

    organization = models.ForeignKey("projects.Organization", models.PROTECT, related_name="charges")
    account = models.ForeignKey(BillingAccount, models.PROTECT, related_name="charges")
    sub_account = models.ForeignKey(
        BillingAccount,
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="charges_to_its_payer",
        verbose_name=gettext_lazy("sub-account"),
        help_text=gettext_lazy("Whose usage it is for; empty: that of the account."),
    )
    month = models.DateField(
        gettext_lazy("month"),
        null=True,
        blank=True,
        help_text=gettext_lazy("First day of the month of the usage; who was payer of record then owes it."),
    )
    external_id = models.CharField(
        gettext_lazy("external id"), max_length=200, help_text=gettext_lazy("Of the reporting system.")
    )
    amount = ExactDecimalField(gettext_lazy("amount"), max_digits=24, decimal_places=4)
    currency_code = models.CharField(gettext_lazy("currency"), max_length=3)
    due_date = models.DateField(gettext_lazy("due date"))
    description = models.CharField(gettext_lazy("description"), max_length=500, blank=True)
    settlement_reference = models.CharField(gettext_lazy("settlement reference"), max_length=200, blank=True)
    settled_at = models.DateTimeField(gettext_lazy("settled at"), null=True, blank=True)

    columns = Columns.of(
        fixed(
            "charge_identity_fixed",
            f"{Resource.FIXED} organization_id account_id sub_account_id month external_id amount currency_code"
            " due_date description",
        ),
        fixed("charge_settlement_fixed", "settlement_reference settled_at", once="OLD.settled_at IS NOT NULL"),
        free=Resource.FREE,
        texts=f"{Resource.TEXTS} description",
    )
    history = audit.history(unrecorded=("managed_fields",))
    objects = ChargeQuerySet.as_manager()

    manifest_paths = Resource.manifest_paths | {
        "external_id": "spec.externalId",
        "description": "spec.description",
        "settlement_reference": "spec.reference",
    }
    # identifiers and amounts: one in ten numbers of 16 digits would pass for a card number
    unsearched_paths = re.compile(r"spec\.(externalId|amount)")
    # the seals of the first versions do not cover them
    later_columns = Resource.later_columns | {"sub_account_id", "month"}
    name_constraint = "charge_name_in_organization"

    class Meta:
        verbose_name = gettext_lazy("charge")
        verbose_name_plural = gettext_lazy("charges")
        constraints = [
            models.UniqueConstraint(fields=["organization", "name"], name="charge_name_in_organization"),
            # one report, sent twice concurrently
            models.UniqueConstraint(fields=["account", "external_id"], name="charge_once"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="charge_amount_positive"),
            models.CheckConstraint(
                condition=Q(settled_at=None, settlement_reference="")
                | (Q(settled_at__isnull=False) & ~Q(settlement_reference="")),
                name="charge_settled_with_reference",
            ),
        ]
        indexes = [
            # unsettled charges block a closure
            models.Index(fields=["account", "due_date"], name="charge_unsettled", condition=Q(settled_at=None)),
            # and keep a sub-account with its payer of record
            models.Index(
                fields=["sub_account"],
                name="charge_unsettled_of_sub",
                condition=Q(settled_at=None, sub_account__isnull=False),
            ),
            # the home page, and the list of overdue charges
            models.Index(fields=["due_date"], name="charge_unsettled_by_day", condition=Q(settled_at=None)),
            # the list of the staff site
            models.Index(fields=["due_date", "id"], name="charge_by_day"),
            # searches of the staff site
            WordIndex(words=["external_id", "name", "settlement_reference"], name="charge_words"),
        ]
