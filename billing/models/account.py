import re
from dataclasses import replace
from datetime import date, datetime

from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.models import Count, F, OuterRef, Q, Subquery
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_fsm import RETURN_VALUE, transition

from billing.models.account_preferences import PREFERENCES_CONSTRAINTS, PreferencesColumns
from billing.models.account_terms import TERMS_CONSTRAINTS, TermsColumns
from billing.payment_profile.payment_fields import NUMBERS
from billing.terms.payment_terms import PaymentTerms
from milo import audit
from milo.clock import ledger_time
from milo.columns import Columns, fixed
from milo.errors import Cause
from milo.kube.models import LabelIndex, Resource, ResourceQuerySet
from milo.phases import PhaseField, PhaseLoading
from milo.word_indexes import WordIndex
from projects.models import Organization

VERIFIER_UNAVAILABLE = "VerifierUnavailable"
# deeper than any tree may be (MILO_HIERARCHY_DEPTH), and an end where guards were off
_ABOVE = """(WITH RECURSIVE above(id, level) AS (
    SELECT f.parent_id, 1 FROM billing_billingaccountaffiliation f
    WHERE f.account_id = billing_billingaccount.id AND f.phase = 'Active' AND f.parent_id IS NOT NULL
    UNION ALL SELECT f.parent_id, above.level + 1 FROM billing_billingaccountaffiliation f
    JOIN above ON f.account_id = above.id
    WHERE f.phase = 'Active' AND f.parent_id IS NOT NULL AND above.level < 20) SELECT max(level) FROM above)"""
OF_PAYER = ("name", "phase", "phase_since", "phase_reason", "phase_message")
PURGE = "OLD.phase = 'Archived' AND OLD.pseudonymised_on IS NULL AND NEW.pseudonymised_on IS NOT NULL"
"""SQL condition that an UPDATE purges the personal data of an account."""


class BillingAccountQuerySet(ResourceQuerySet["BillingAccount"]):
    def with_linked_projects_count(self) -> "BillingAccountQuerySet":
        """Annotate accounts with `linked_projects_count`, the number of projects that each pays for now."""
        # a subquery per row: a join would count the bindings of all accounts before the first page
        bindings = apps.get_model("billing.BillingAccountBinding").objects
        linked = bindings.paying().filter(account=OuterRef("pk")).order_by().values("account")
        return self.annotate(linked_projects_count=Coalesce(Subquery(linked.annotate(n=Count("pk")).values("n")), 0))

    def with_hierarchy(self) -> "BillingAccountQuerySet":
        """Annotate accounts with where they stand among others now.

        `parent_name` and `payer_name` are None where there is none but itself, `accounts_above` and
        `sub_accounts_count` (directly below) are numbers or None. `payer_phase` and the like are those of the payer of
        record, `affiliated_at` since when the ledger knows the relation in force.
        """
        affiliations = apps.get_model("billing.BillingAccountAffiliation").objects.active().order_by()
        own = affiliations.filter(account=OuterRef("pk"))
        below = affiliations.filter(parent=OuterRef("pk")).values("parent").annotate(n=Count("pk")).values("n")
        return self.annotate(
            parent_name=Subquery(own.values("parent__name")[:1]),
            affiliated_at=Subquery(own.values("activated_at")[:1]),
            **{f"payer_{column}": F(f"paid_by__{column}") for column in OF_PAYER},
            accounts_above=RawSQL(_ABOVE, [], output_field=models.IntegerField()),  # noqa: S611  a constant
            sub_accounts_count=Coalesce(Subquery(below), 0),
        )

    def waiting_for_validation(self) -> "BillingAccountQuerySet":
        """Select accounts with unfinished validation: Provisioning, or Incomplete while a verifier was unavailable."""
        unfinished = Q(phase=BillingAccount.Phase.PROVISIONING) | Q(phase_reason=VERIFIER_UNAVAILABLE)
        return self.filter(unfinished, first_ready_at=None)


class BillingAccount(PhaseLoading, TermsColumns, PreferencesColumns, Resource):
    """A payer: the party that pays for the usage of the projects bound to it."""

    class Phase(models.TextChoices):
        PROVISIONING = "Provisioning", gettext_lazy("Provisioning")
        INCOMPLETE = "Incomplete", gettext_lazy("Incomplete")
        READY = "Ready", gettext_lazy("Ready")
        SUSPENDED = "Suspended", gettext_lazy("Suspended")
        CLOSED = "Closed", gettext_lazy("Closed")
        ARCHIVED = "Archived", gettext_lazy("Archived")

    READ_ONLY = (Phase.CLOSED, Phase.ARCHIVED)

    organization = models.ForeignKey(
        Organization, models.PROTECT, related_name="billing_accounts", verbose_name=gettext_lazy("organization")
    )
    display_name = models.CharField(gettext_lazy("display name"), max_length=200, blank=True)
    currency_code = models.CharField(
        gettext_lazy("currency"),
        max_length=3,
        blank=True,
        help_text=gettext_lazy("ISO 4217; fixed once the account has been Ready."),
    )
    payment_profile = models.JSONField(gettext_lazy("payment profile"), null=True, blank=True)
    invoice_email_addresses = models.JSONField(gettext_lazy("invoice e-mail addresses"), default=list, blank=True)
    # the present value of `AccountPayer`, for locks and constraints
    paid_by = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        editable=False,
        related_name="pays_for_accounts",
        verbose_name=gettext_lazy("paid by"),
        help_text=gettext_lazy("The payer of record; empty: the account itself."),
    )
    paid_by_since = models.DateTimeField(
        gettext_lazy("paid by it since"),
        null=True,
        editable=False,
        help_text=gettext_lazy("Since when the ledger knows the payer of record."),
    )
    payer_ready_since = models.DateTimeField(
        gettext_lazy("readiness of the payer since"),
        null=True,
        editable=False,
        help_text=gettext_lazy(
            "Since when the payers of record were Ready, or not, as this one was when it took over."
        ),
    )
    phase = PhaseField(gettext_lazy("phase"), choices=Phase.choices, default=Phase.PROVISIONING, editable=False)
    phase_reason = models.CharField(gettext_lazy("reason"), max_length=60, default="ValidationPending", editable=False)
    phase_message = models.TextField(gettext_lazy("message"), blank=True, editable=False)
    phase_since = models.DateTimeField(gettext_lazy("in this phase since"), default=ledger_time, editable=False)
    first_ready_at = models.DateTimeField(gettext_lazy("first ready at"), null=True, editable=False)
    approved_terms = models.JSONField(gettext_lazy("terms approved beyond the limit"), null=True, editable=False)
    closed_at = models.DateTimeField(gettext_lazy("closed at"), null=True, editable=False)
    closed_from = models.CharField(gettext_lazy("phase before closure"), max_length=20, blank=True, editable=False)
    archived_at = models.DateTimeField(gettext_lazy("archived at"), null=True, editable=False)
    archive_sha256 = models.CharField(
        gettext_lazy("SHA-256 of the archive's manifest"), max_length=64, blank=True, editable=False
    )
    purge_on = models.DateField(gettext_lazy("personal data may be purged from"), null=True, editable=False)
    pseudonymised_on = models.DateField(gettext_lazy("personal data purged on"), null=True, editable=False)
    compliance_reason = models.CharField(gettext_lazy("compliance"), max_length=60, blank=True, editable=False)
    compliance_message = models.TextField(gettext_lazy("compliance findings"), blank=True, editable=False)
    compliance_since = models.DateTimeField(gettext_lazy("compliance as it is since"), null=True, editable=False)
    expiry_reason = models.CharField(
        gettext_lazy("expiry of the payment profile"), max_length=60, blank=True, editable=False
    )
    expiry_since = models.DateTimeField(gettext_lazy("expiry announced at"), null=True, editable=False)

    columns = Columns.of(
        fixed("account_identity_fixed", f"{Resource.FIXED} organization_id"),
        fixed("account_currency_fixed", "currency_code first_ready_at", once="OLD.first_ready_at IS NOT NULL"),
        # a closed account is read-only until it is reopened or archived
        fixed(
            "account_closed_fixed",
            "display_name currency_code payment_profile invoice_email_addresses country customer_kind"
            " tax_registrations invoice_language invoice_format e_invoicing data_residency net_days invoice_frequency"
            " invoice_day_of_month anchor_month business_day_convention discount_percent discount_days penalty_percent"
            " penalty_grace_days extended_terms_agreed approved_terms first_ready_at generation labels annotations",
            once="OLD.phase IN ('Closed', 'Archived')",
        ),
        fixed(
            "account_archived_fixed",
            "phase phase_reason phase_since closed_at closed_from archived_at",
            once="OLD.phase = 'Archived'",
        ),
        fixed(
            "account_archive_fixed",
            "archive_sha256 pseudonymised_on",
            once=f"OLD.phase = 'Archived' AND NOT ({PURGE})",
        ),
        free=(
            "managed_fields finalizers owner_references phase_message purge_on compliance_reason compliance_message"
            " compliance_since expiry_reason expiry_since paid_by_id paid_by_since payer_ready_since"
        ),
        personal="invoice_email_addresses tax_registrations e_invoicing",
        texts=f"{Resource.TEXTS} display_name phase_message",
        codes="country scheme standard",
    )
    history = audit.history(unrecorded=("managed_fields",))
    objects = BillingAccountQuerySet.as_manager()

    manifest_paths = Resource.manifest_paths | {
        "display_name": "spec.displayName",
        "currency_code": "spec.currencyCode",
        "payment_profile": "spec.paymentProfile",
        "invoice_email_addresses": "spec.invoiceEmailAddresses",
        "country": "spec.preferences.country",
        "tax_registrations": "spec.preferences.taxRegistrations",
        "invoice_language": "spec.preferences.invoiceLanguage",
        "invoice_format": "spec.preferences.invoiceFormat",
        "e_invoicing": "spec.preferences.eInvoicing",
        "data_residency": "spec.preferences.dataResidency",
    }
    # one in ten tax numbers and virtual accounts would pass for a card number: `AccountSpec` checks them by field
    opaque_columns = frozenset({"payment_profile", "tax_registrations", "e_invoicing", "archive_sha256"})
    unsearched_paths = re.compile(
        r"spec\.preferences\.(taxRegistrations\[\d+\]\.number|eInvoicing\.identifiers\.(peppolParticipantId|leitwegId))"
        rf"|spec\.paymentProfile\.\w+\.({'|'.join(sorted(NUMBERS))})"
    )
    # the seals of the first versions do not cover them
    later_columns = Resource.later_columns | {"paid_by_id", "paid_by_since", "payer_ready_since"}
    name_constraint = "account_name_in_organization"

    class Meta:
        verbose_name = gettext_lazy("billing account")
        verbose_name_plural = gettext_lazy("billing accounts")
        constraints = [
            # two opens of one name at once
            models.UniqueConstraint(fields=["organization", "name"], name="account_name_in_organization"),
            # an unknown phase would slip past every rule that checks phases
            models.CheckConstraint(
                condition=Q(phase__in=["Provisioning", "Incomplete", "Ready", "Suspended", "Closed", "Archived"]),
                name="account_known_phase",
            ),
            *TERMS_CONSTRAINTS,
            *PREFERENCES_CONSTRAINTS,
            # a condition needs the instant of its last transition
            models.CheckConstraint(
                condition=Q(compliance_reason="", compliance_since=None)
                | (~Q(compliance_reason="") & Q(compliance_since__isnull=False)),
                name="account_compliance_since_an_instant",
            ),
            models.CheckConstraint(
                condition=Q(expiry_reason="", expiry_since=None)
                | (~Q(expiry_reason="") & Q(expiry_since__isnull=False)),
                name="account_expiry_since_an_instant",
            ),
            # a revision racing the validation must not leave an account that accepts projects and cannot pay
            models.CheckConstraint(
                condition=~Q(phase__in=["Ready", "Suspended"])
                | (
                    ~Q(currency_code="")
                    & (Q(payment_profile__isnull=False) | Q(paid_by__isnull=False))
                    & Q(first_ready_at__isnull=False)
                ),
                name="account_ready_has_currency_and_profile",
            ),
            models.CheckConstraint(condition=~Q(paid_by=F("pk")), name="account_not_paid_by_itself"),
            # an account that was closed without an instant could never be archived
            models.CheckConstraint(
                condition=(Q(phase__in=["Closed", "Archived"]) & Q(closed_at__isnull=False) & ~Q(closed_from=""))
                | (~Q(phase__in=["Closed", "Archived"]) & Q(closed_at=None, closed_from="")),
                name="account_closed_at_an_instant",
            ),
            models.CheckConstraint(
                condition=Q(phase="Archived", archived_at__isnull=False) | (~Q(phase="Archived") & Q(archived_at=None)),
                name="account_archived_at_an_instant",
            ),
            # a purge that counts its years wrongly must not destroy what the law wants kept
            models.CheckConstraint(
                condition=Q(pseudonymised_on=None)
                | Q(phase="Archived", purge_on__isnull=False, pseudonymised_on__gte=F("purge_on")),
                name="account_pseudonymised_when_due",
            ),
        ]
        indexes = [
            # projects are selected by the name of their payer, in whatever organization; the list of the staff site,
            # where many accounts may have one name
            models.Index(fields=["name", "id"], name="account_by_name_and_key"),
            # the periodic task looks for the few waiting accounts among many Ready ones
            models.Index(fields=["phase_reason"], name="account_waiting", condition=Q(first_ready_at=None)),
            LabelIndex(name="account_labels"),
            # filters and searches of the staff site
            models.Index(fields=["currency_code", "id"], name="account_by_currency"),
            models.Index(fields=["country", "id"], name="account_by_country"),
            models.Index(fields=["created_at", "id"], name="account_by_opening"),
            models.Index(fields=["phase_since", "id"], name="account_by_age"),
            WordIndex(
                words=[
                    "name",
                    "display_name",
                    "invoice_email_addresses",
                    "payment_profile",
                    "e_invoicing",
                    "tax_registrations",
                ],
                name="account_words",
            ),
            # the home page: accounts by phase, and the first thousand of a phase, the oldest first
            models.Index(fields=["phase", "phase_since"], name="account_phase_since"),
            # the home page: the few that break a rule
            models.Index(
                fields=["compliance_since"],
                name="account_breaks_rules",
                condition=Q(compliance_reason="ComplianceErrors"),
            ),
        ]

    def anchored(self, terms: PaymentTerms) -> PaymentTerms:
        """Return `terms` with an anchor month, if they need one and the account has been Ready.

        Without one in `terms`, the account's own stays, so that its invoice months never move; else it is the month
        (UTC) in which the account became Ready.
        """
        if self.first_ready_at is None or not terms.needs_anchor:
            return terms
        anchored = replace(terms, anchor_month=terms.anchor_month or self.anchor_month)
        return anchored.anchored(self.first_ready_at.date())

    def payer_stands_since(self, payer_phase_since: datetime) -> datetime:
        """Return since when (UTC) the payers of record have been Ready, or not, as the present one is.

        `payer_phase_since` is since when that one is in its phase.
        """
        if self.paid_by_since is None or self.payer_ready_since is None or payer_phase_since > self.paid_by_since:
            return payer_phase_since
        return self.payer_ready_since

    def missing(self) -> list[Cause]:
        """Return a cause for each value that the account lacks to become Ready.

        Profile and terms are those of the payer of record: an account that another pays for may do without its own.
        """
        causes = [] if self.currency_code else [Cause.required("spec.currencyCode")]
        if self.paid_by_id is None:
            causes += self.payment_terms.missing()
        causes += self.unapproved(self.payment_terms)
        if self.paid_by_id is None and not self.payment_profile:
            causes.append(Cause.required("spec.paymentProfile"))
        return causes

    def unapproved(self, terms: PaymentTerms) -> list[Cause]:
        """Return a cause if `terms` exceed MILO_NET_DAYS_WITHOUT_APPROVAL and exactly these were not approved."""
        limit = settings.MILO_NET_DAYS_WITHOUT_APPROVAL
        if (terms.net_days or 0) <= limit or self.approved_terms == terms.as_json():
            return []
        message = _("more than %(limit)d needs an approved request to ReviseTerms")
        return [Cause("spec.paymentTerms.netDays", message % {"limit": limit})]

    def unapproved_waiver(self, terms: PaymentTerms) -> list[Cause]:
        """Return a cause if `terms` lower the late payment penalty in force of an account that has been Ready.

        That waives money, so it needs a second person.
        """
        if self.first_ready_at is None or not terms.waives_penalty_of(self.payment_terms):
            return []
        message = _("to waive a late payment penalty, or a part of it, needs an approved request to ReviseTerms")
        return [Cause("spec.paymentTerms.latePaymentPenalty", message)]

    @transition("phase", source=[Phase.PROVISIONING, Phase.INCOMPLETE], target=Phase.READY)
    def become_ready(self) -> None:
        """Validation found nothing missing. The currency is fixed from now on."""
        self._because("BillingAccountActive", "Billing account is active and ready for project linking")
        self.first_ready_at = self.first_ready_at or self.phase_since
        self.payment_terms = self.anchored(self.payment_terms)

    @transition("phase", source=[Phase.PROVISIONING, Phase.INCOMPLETE], target=Phase.INCOMPLETE)
    def become_incomplete(self, causes: list[Cause]) -> None:
        """Validation found something missing; the message lists all causes."""
        message = "; ".join(f"{cause.field} {cause.message}" for cause in causes)
        self._because("BillingAccountIncomplete", message, keep_since=self.phase == self.Phase.INCOMPLETE)

    @transition("phase", source=[Phase.READY, Phase.SUSPENDED], target=Phase.SUSPENDED)
    def suspend(self, reason_code: str, message: str) -> None:
        """The account keeps its bindings and accepts no new ones. Repeat this for each further reason."""
        self._because(reason_code, message, keep_since=self.phase == self.Phase.SUSPENDED)

    @transition("phase", source=Phase.SUSPENDED, target=Phase.READY)
    def reactivate(self) -> None:
        """Every suspension is resolved, and a second person has approved."""
        self._because("BillingAccountActive", "Billing account is active and ready for project linking")

    @transition("phase", source=[Phase.READY, Phase.SUSPENDED, Phase.INCOMPLETE], target=Phase.CLOSED)
    def close(self) -> None:
        """The account pays for no project any more, and is read-only from now on."""
        self.closed_from = self.phase
        self._because("BillingAccountClosed", "Billing account is closed")
        self.closed_at = self.phase_since

    @transition("phase", source=Phase.CLOSED, target=RETURN_VALUE(Phase.READY, Phase.SUSPENDED, Phase.INCOMPLETE))
    def reopen(self, reason: str, message: str) -> str:
        """Return to the phase before the closure, with the reason and message of that phase."""
        phase, self.closed_from, self.closed_at = self.closed_from, "", None
        self._because(reason, message)
        return phase

    @transition("phase", source=Phase.CLOSED, target=Phase.ARCHIVED)
    def archive(self, sha256: str, purge_on: date | None) -> None:
        """The archive bundle is written and verified; the account can never be reopened.

        `sha256` is the digest of the bundle's manifest. `purge_on` is the first day (UTC) on which personal data may be
        purged, None if no country defines one.
        """
        self._because("BillingAccountArchived", "Billing account is archived")
        self.archived_at = self.phase_since
        self.archive_sha256, self.purge_on = sha256, purge_on

    def wait_for_verifier(self, message: str) -> None:
        """A verifier was unavailable. The phase stays; a periodic task validates the account again."""
        self._because(VERIFIER_UNAVAILABLE, message, keep_since=True)

    def _because(self, reason: str, message: str, *, keep_since: bool = False) -> None:
        """Set reason and message of the phase. `keep_since` is for calls that do not change the phase."""
        self.phase_reason = reason
        self.phase_message = message
        if not keep_since:
            self.phase_since = audit.ledger_time(self)
