"""Accounts under accounts: the relations (plans and facts), and the payers of record that follow from the facts."""

from datetime import date, datetime

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy
from django_fsm import transition

from billing.models.account import BillingAccount
from billing.models.account_queries import BillingAccountQuerySet
from billing.models.binding import BillingAccountBinding
from milo import audit
from milo.columns import Columns, fixed
from milo.compiled_queries import Param
from milo.kube.models import LabelIndex, Resource, ResourceQuerySet
from milo.phases import PhaseField, PhaseLoading
from milo.word_indexes import WordIndex
from projects.models import Project
from projects.models.project import ProjectQuerySet

_FACTS = ["Active", "Superseded", "Ended"]


class BillingAccountAffiliationQuerySet(ResourceQuerySet["BillingAccountAffiliation"]):
    def scheduled(self) -> "BillingAccountAffiliationQuerySet":
        """Select plans whose month has not come, or that the worker has not yet made facts."""
        return self.filter(phase=BillingAccountAffiliation.Phase.SCHEDULED)

    def active(self) -> "BillingAccountAffiliationQuerySet":
        """Select the relations in force."""
        return self.filter(phase=BillingAccountAffiliation.Phase.ACTIVE)

    def facts(self) -> "BillingAccountAffiliationQuerySet":
        """Select the relations that are or were in force."""
        return self.filter(phase__in=_FACTS)

    def due(self, month: date) -> "BillingAccountAffiliationQuerySet":
        """Select plans that take effect in `month` (its first day, UTC) or before."""
        return self.scheduled().filter(effective_from__lte=month)


class BillingAccountAffiliation(PhaseLoading, Resource):
    """An account under another from a month on, or alone again. Immutable; a new one supersedes it."""

    class Phase(models.TextChoices):
        SCHEDULED = "Scheduled", gettext_lazy("Scheduled")
        ACTIVE = "Active", gettext_lazy("Active")
        SUPERSEDED = "Superseded", gettext_lazy("Superseded")
        ENDED = "Ended", gettext_lazy("Ended")
        CANCELLED = "Cancelled", gettext_lazy("Cancelled")
        FAILED = "Failed", gettext_lazy("Failed")

    class Payer(models.TextChoices):
        PARENT = "Parent", gettext_lazy("the parent")
        SELF = "Self", gettext_lazy("the account itself")

    organization = models.ForeignKey("projects.Organization", models.PROTECT, related_name="affiliations")
    account = models.ForeignKey(
        BillingAccount, models.PROTECT, related_name="affiliations", verbose_name=gettext_lazy("billing account")
    )
    parent = models.ForeignKey(
        BillingAccount,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="affiliations_under",
        verbose_name=gettext_lazy("parent"),
        help_text=gettext_lazy("Empty: the account stands alone again."),
    )
    payer = models.CharField(gettext_lazy("payer"), max_length=6, choices=Payer.choices)
    effective_from = models.DateField(gettext_lazy("effective from"), help_text=gettext_lazy("First day of a month."))
    reason = models.TextField(gettext_lazy("reason"))
    created_by = models.CharField(gettext_lazy("created by"), max_length=200, editable=False)
    phase = PhaseField(gettext_lazy("phase"), choices=Phase.choices, default=Phase.SCHEDULED, editable=False)
    obstacle = models.TextField(
        gettext_lazy("obstacle"),
        blank=True,
        editable=False,
        help_text=gettext_lazy("Why it will not take effect, as the change log says."),
    )
    obstacle_since = models.DateTimeField(
        gettext_lazy("obstacle since"),
        null=True,
        editable=False,
        help_text=gettext_lazy("Since when there is an obstacle, or none again; empty: there never was one."),
    )
    instead_of = models.CharField(
        gettext_lazy("instead of"),
        max_length=63,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text=gettext_lazy("The plan of the account that it cancelled."),
    )
    outcome = models.TextField(
        gettext_lazy("outcome"),
        blank=True,
        editable=False,
        help_text=gettext_lazy("Why it was cancelled, or could not take effect."),
    )
    activated_at = models.DateTimeField(
        gettext_lazy("recorded at"),
        null=True,
        editable=False,
        help_text=gettext_lazy("Since when the ledger knows it as a fact."),
    )
    ended_from = models.DateField(
        gettext_lazy("ended from"), null=True, editable=False, help_text=gettext_lazy("The first month without it.")
    )
    finished_at = models.DateTimeField(gettext_lazy("finished at"), null=True, editable=False)
    supersedes = models.OneToOneField(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="superseded_by",
        verbose_name=gettext_lazy("supersedes"),
    )

    # who answered for whom when must not change afterwards, not even by SQL
    columns = Columns.of(
        fixed(
            "affiliation_identity_fixed",
            f"{Resource.FIXED} organization_id account_id parent_id payer effective_from reason created_by instead_of",
        ),
        fixed("affiliation_activation_fixed", "activated_at supersedes_id", once="OLD.phase <> 'Scheduled'"),
        fixed(
            "affiliation_outcome_fixed",
            "phase outcome ended_from finished_at",
            once="OLD.phase NOT IN ('Scheduled', 'Active')",
        ),
        free=f"{Resource.FREE} obstacle obstacle_since",
        texts=f"{Resource.TEXTS} reason obstacle outcome",
    )
    history = audit.history(unrecorded=("managed_fields",))
    objects = BillingAccountAffiliationQuerySet.as_manager()

    # the seals of the first versions do not cover them
    later_columns = Resource.later_columns | {"obstacle_since", "instead_of"}
    manifest_paths = Resource.manifest_paths | {"reason": "spec.reason", "outcome": "spec.reason"}
    name_constraint = "affiliation_name_in_organization"

    class Meta:
        verbose_name = gettext_lazy("billing account affiliation")
        verbose_name_plural = gettext_lazy("billing account affiliations")
        constraints = [
            # two affiliations of one name at once
            models.UniqueConstraint(fields=["organization", "name"], name="affiliation_name_in_organization"),
            # two plans, or two parents, of one account at once
            models.UniqueConstraint(
                fields=["account"], condition=Q(phase="Scheduled"), name="affiliation_one_scheduled"
            ),
            models.UniqueConstraint(fields=["account"], condition=Q(phase="Active"), name="affiliation_one_active"),
            models.CheckConstraint(
                condition=Q(phase__in=["Scheduled", *_FACTS, "Cancelled", "Failed"]), name="affiliation_known_phase"
            ),
            models.CheckConstraint(
                condition=Q(payer="Self") | Q(payer="Parent", parent__isnull=False), name="affiliation_payer_exists"
            ),
            models.CheckConstraint(condition=~Q(account=F("parent")), name="affiliation_not_under_itself"),
            # a fact without its instant could not be told from what the ledger knew before
            models.CheckConstraint(
                condition=Q(phase="Scheduled", activated_at=None, ended_from=None, finished_at=None, outcome="")
                | Q(phase="Active", activated_at__isnull=False, ended_from=None, finished_at=None, outcome="")
                | Q(
                    phase__in=["Superseded", "Ended"],
                    activated_at__isnull=False,
                    ended_from__isnull=False,
                    finished_at__isnull=False,
                )
                | (
                    Q(phase__in=["Cancelled", "Failed"], activated_at=None, ended_from=None, finished_at__isnull=False)
                    & ~Q(outcome="")
                ),
                name="affiliation_instants_of_phase",
            ),
            models.CheckConstraint(
                condition=Q(ended_from=None) | Q(ended_from__gt=F("effective_from")),
                name="affiliation_ends_after_start",
            ),
            models.CheckConstraint(
                condition=~Q(created_by="") & ~Q(reason=""), name="affiliation_by_someone_for_a_reason"
            ),
        ]
        indexes = [
            # the worker looks for the few that are due among all
            models.Index(fields=["effective_from"], name="affiliation_due", condition=Q(phase="Scheduled")),
            # the accounts under one now
            models.Index(fields=["parent"], name="affiliation_children", condition=Q(phase="Active")),
            # the list of the staff site, newest first
            models.Index(fields=["-created_at", "-id"], name="affiliation_newest_first"),
            LabelIndex(name="affiliation_labels"),
            # filters and searches of the staff site
            models.Index(fields=["phase", "id"], name="affiliation_by_phase"),
            models.Index(fields=["payer", "id"], name="affiliation_by_payer"),
            WordIndex(words=["name", "created_by"], name="affiliation_words"),
        ]

    @transition("phase", source=Phase.SCHEDULED, target=Phase.ACTIVE)
    def activate(self, at: datetime, supersedes: "BillingAccountAffiliation | None") -> None:
        """The plan is a fact, known since `at` (UTC)."""
        self.activated_at, self.supersedes, self.obstacle = at, supersedes, ""

    @transition("phase", source=Phase.ACTIVE, target=Phase.SUPERSEDED)
    def supersede(self, month: date, at: datetime) -> None:
        """Another takes over from `month` (its first day) on."""
        self.ended_from, self.finished_at = month, at

    @transition("phase", source=Phase.ACTIVE, target=Phase.ENDED)
    def end(self, month: date, at: datetime) -> None:
        """The account is archived; `month` is the first without it."""
        self.ended_from, self.finished_at = month, at

    @transition("phase", source=Phase.SCHEDULED, target=Phase.CANCELLED)
    def cancel(self, at: datetime, why: str) -> None:
        """The relation before goes on."""
        self.finished_at, self.outcome, self.obstacle = at, why, ""

    @transition("phase", source=Phase.SCHEDULED, target=Phase.FAILED)
    def fail(self, at: datetime, why: str) -> None:
        """It could not take effect when it was due; the relation before goes on."""
        self.finished_at, self.outcome, self.obstacle = at, why, ""


class AccountPayerQuerySet(models.QuerySet["AccountPayer"]):
    def in_month(self, month: date | Param) -> "AccountPayerQuerySet":
        """Select the rows in force in `month` (its first day, UTC)."""
        return self.filter(Q(until_month=None) | Q(until_month__gt=month), from_month__lte=month)


class AccountPayer(models.Model):
    """Who was payer of record of an account in which months: derived from affiliations, for accounts that had any."""

    account = models.ForeignKey(BillingAccount, models.PROTECT, db_index=False, related_name="payers_of_record")
    payer = models.ForeignKey(BillingAccount, models.PROTECT, related_name="payer_of_record_of")
    from_month = models.DateField(help_text="first day of the first month")
    until_month = models.DateField(null=True, help_text="not included; empty: from then on")

    # recounted from the affiliations, which are the truth (billing/services/affiliations/payers.py)
    columns = Columns.of(fixed("account_payer_fixed", "id account_id payer_id until_month"), free="from_month")
    objects = AccountPayerQuerySet.as_manager()

    class Meta:
        verbose_name = gettext_lazy("payer of record")
        verbose_name_plural = gettext_lazy("payers of record")
        constraints = [
            models.UniqueConstraint(fields=["account", "from_month"], name="account_payer_once"),
            models.UniqueConstraint(fields=["account"], condition=Q(until_month=None), name="account_payer_one_open"),
            models.CheckConstraint(
                condition=Q(until_month=None) | Q(until_month__gt=F("from_month")), name="account_payer_span"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account} paid by {self.payer} from {self.from_month}"


def payer_of_record(account: BillingAccount, month: date) -> BillingAccount:
    """Return who is invoiced for the usage of `account` in `month` (any day of it, UTC): the only answer to that."""
    rows = AccountPayer.objects.in_month(month.replace(day=1)).filter(account=account).select_related("payer")
    row = rows.first()
    return row.payer if row and row.payer_id != account.pk else account


def accounts_invoiced_to(payer: BillingAccount) -> BillingAccountQuerySet:
    """Return the other accounts that `payer` is payer of record of now, archived ones left out."""
    rows = AccountPayer.objects.filter(payer=payer, until_month=None).exclude(account=payer)
    return BillingAccount.objects.filter(pk__in=rows.values("account")).exclude(phase=BillingAccount.Phase.ARCHIVED)


def projects_invoiced_to(payer: BillingAccount) -> ProjectQuerySet:
    """Return the projects that `payer` pays for now, and those of the accounts that it is payer of record of."""
    others = AccountPayer.objects.filter(payer=payer, until_month=None).values("account")
    paying = BillingAccountBinding.objects.paying().filter(Q(account=payer) | Q(account__in=others), ended_at=None)
    return Project.objects.filter(pk__in=paying.values("project"))


def paid_accounts(payer: BillingAccount, month: date) -> models.QuerySet[BillingAccount]:
    """Return the accounts whose payer of record is `payer` in `month` (any day of it, UTC), itself included."""
    first = month.replace(day=1)
    rows = AccountPayer.objects.in_month(first)
    others = rows.filter(payer=payer).values("account")
    is_paid = rows.filter(account=payer).exclude(payer=payer)
    accounts = BillingAccount.objects.filter(Q(pk__in=others) | (Q(pk=payer.pk) & ~Q(pk__in=is_paid.values("account"))))
    return accounts
