import re
from dataclasses import replace
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.models.account_phases import PHASE_CONSTRAINTS, AccountPhases
from billing.models.account_preferences import PREFERENCES_CONSTRAINTS, PreferencesColumns
from billing.models.account_queries import BillingAccountQuerySet
from billing.models.account_terms import TERMS_CONSTRAINTS, TermsColumns
from billing.payment_profile.payment_fields import NUMBERS
from billing.terms.payment_terms import PaymentTerms
from milo import audit
from milo.clock import ledger_time
from milo.columns import Columns, fixed
from milo.errors import Cause
from milo.kube.models import LabelIndex, Resource
from milo.phases import PhaseField
from milo.word_indexes import WordIndex
from projects.models import Organization

PURGE = "OLD.phase = 'Archived' AND OLD.pseudonymised_on IS NULL AND NEW.pseudonymised_on IS NOT NULL"
"""SQL condition that an UPDATE purges the personal data of an account."""


class BillingAccount(AccountPhases, TermsColumns, PreferencesColumns, Resource):
    """A payer: the party that pays for the usage of the projects bound to it."""

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
    phase = PhaseField(
        gettext_lazy("phase"),
        choices=AccountPhases.Phase.choices,
        default=AccountPhases.Phase.PROVISIONING,
        editable=False,
    )
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
        keys="payment_profile.payerAddress payment_profile.payerTaxId",
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
            *PHASE_CONSTRAINTS,
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
            models.CheckConstraint(condition=~Q(paid_by=F("pk")), name="account_not_paid_by_itself"),
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
