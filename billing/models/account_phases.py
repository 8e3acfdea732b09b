"""Phases of an account, and the transitions between them."""

from datetime import date, datetime

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy
from django_fsm import RETURN_VALUE, transition

from billing.terms.payment_terms import PaymentTerms
from milo import audit
from milo.errors import Cause
from milo.phases import PhaseLoading

VERIFIER_UNAVAILABLE = "VerifierUnavailable"


class AccountPhases(PhaseLoading):
    """Phases and transitions of an account.

    The columns stand in `BillingAccount`: moved here they would get another order, by which guards would be made anew.
    """

    class Phase(models.TextChoices):
        PROVISIONING = "Provisioning", gettext_lazy("Provisioning")
        INCOMPLETE = "Incomplete", gettext_lazy("Incomplete")
        READY = "Ready", gettext_lazy("Ready")
        SUSPENDED = "Suspended", gettext_lazy("Suspended")
        CLOSED = "Closed", gettext_lazy("Closed")
        ARCHIVED = "Archived", gettext_lazy("Archived")

    READ_ONLY = (Phase.CLOSED, Phase.ARCHIVED)

    phase: "models.Field[str, str]"
    phase_reason: "models.Field[str, str]"
    phase_message: "models.Field[str, str]"
    phase_since: "models.Field[datetime, datetime]"
    first_ready_at: "models.Field[datetime | None, datetime | None]"
    closed_at: "models.Field[datetime | None, datetime | None]"
    closed_from: "models.Field[str, str]"
    archived_at: "models.Field[datetime | None, datetime | None]"
    archive_sha256: "models.Field[str, str]"
    purge_on: "models.Field[date | None, date | None]"
    payment_terms: PaymentTerms

    class Meta:
        abstract = True

    @transition("phase", source=[Phase.PROVISIONING, Phase.INCOMPLETE], target=Phase.READY)
    def become_ready(self) -> None:
        """Validation found nothing missing. The currency is fixed from now on."""
        self._because("BillingAccountActive", "Billing account is active and ready for project linking")
        self.first_ready_at = self.first_ready_at or self.phase_since
        self.payment_terms = self.payment_terms.anchored(self.first_ready_at.date())

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


PHASE_CONSTRAINTS = [
    # an unknown phase would slip past every rule that checks phases
    models.CheckConstraint(
        condition=Q(phase__in=["Provisioning", "Incomplete", "Ready", "Suspended", "Closed", "Archived"]),
        name="account_known_phase",
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
