from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Case, F, OuterRef, Q, Subquery, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_fsm import transition

from billing.models.account import BillingAccount
from billing.models.suspension import Suspension
from milo import audit
from milo.kube.models import Resource, ResourceQuerySet
from milo.phases import PhaseField, PhaseLoading


class ApprovalRequestQuerySet(ResourceQuerySet["ApprovalRequest"]):
    def pending(self) -> "ApprovalRequestQuerySet":
        """Requests that wait for a decision."""
        return self.filter(phase=ApprovalRequest.Phase.PENDING)

    def overdue(self, at: datetime | None = None) -> "ApprovalRequestQuerySet":
        """Pending requests whose time ran out before the instant `at` (UTC), or before now."""
        return self.pending().filter(expires_at__lte=at or timezone.now())

    def awaiting(self, person: str) -> "ApprovalRequestQuerySet":
        """Requests that `person` (an actor's name) could approve now: asked for, and last edited, by somebody else."""
        account = BillingAccount.history.filter(id=OuterRef("account")).order_by("-history_date", "-history_id")
        reason = Suspension.history.filter(account=OuterRef("account")).order_by("-history_date", "-history_id")
        waiting = self.pending().filter(expires_at__gt=timezone.now()).exclude(requester=person)
        return waiting.annotate(
            account_edited_at=Subquery(account.values("history_date")[:1]),
            suspension_edited_at=Subquery(reason.values("history_date")[:1]),
            editor=Case(
                When(
                    suspension_edited_at__gt=F("account_edited_at"), then=Subquery(reason.values("history_user_id")[:1])
                ),
                default=Subquery(account.values("history_user_id")[:1]),
            ),
        ).exclude(editor=person)


class ApprovalRequest(PhaseLoading, Resource):
    """An act on an account that takes effect only when a second person approves it."""

    class Phase(models.TextChoices):
        PENDING = "Pending", _("Pending")
        APPROVED = "Approved", _("Approved")
        REJECTED = "Rejected", _("Rejected")
        WITHDRAWN = "Withdrawn", _("Withdrawn")
        EXPIRED = "Expired", _("Expired")

    class Act(models.TextChoices):
        REACTIVATE = "Reactivate", _("Reactivate")
        CLOSE = "Close", _("Close")
        REOPEN = "Reopen", _("Reopen")
        REVISE_TERMS = "ReviseTerms", _("Revise terms")
        RELEASE_HOLD = "ReleaseHold", _("Release a hold")
        ASSIGN_USAGE = "AssignUsage", _("Assign usage")

    organization = models.ForeignKey("projects.Organization", models.PROTECT, related_name="approval_requests")
    account = models.ForeignKey(
        BillingAccount, models.PROTECT, related_name="approval_requests", verbose_name=_("billing account")
    )
    act = models.CharField(_("act"), max_length=20, choices=Act.choices)
    justification = models.TextField(_("justification"))
    proposal = models.JSONField(_("proposed change"), default=dict, blank=True)
    reviewed = models.JSONField(_("account as reviewed"), editable=False)
    reviewed_hash = models.CharField(_("hash of the account as reviewed"), max_length=64, editable=False)
    requester = models.CharField(_("requester"), max_length=200, editable=False)
    requested_at = models.DateTimeField(_("requested at"), editable=False)
    expires_at = models.DateTimeField(_("expires at"), editable=False)
    phase = PhaseField(_("phase"), choices=Phase.choices, default=Phase.PENDING, editable=False)
    last_editor = models.CharField(_("last editor of what was approved"), max_length=200, blank=True, editable=False)
    decider = models.CharField(_("decider"), max_length=200, blank=True, editable=False)
    decided_at = models.DateTimeField(_("decided at"), null=True, editable=False)
    comment = models.TextField(_("comment"), blank=True)

    history = audit.history(
        personal=("justification", "comment", "reviewed", "labels", "annotations"),
        unrecorded=("managed_fields",),
        time_line="account",
    )
    objects = ApprovalRequestQuerySet.as_manager()

    manifest_paths = Resource.manifest_paths | {
        "justification": "spec.justification",
        "proposal": "spec.proposal",
        "comment": "spec.comment",
    }
    # a copy of the account's
    opaque_columns = frozenset({"reviewed"})

    class Meta:
        verbose_name = _("approval request")
        verbose_name_plural = _("approval requests")
        constraints = [
            models.UniqueConstraint(fields=["organization", "name"], name="approval_name_in_organization"),
            # two requests of one kind at once would both be approved
            models.UniqueConstraint(
                fields=["account", "act"], condition=Q(phase="Pending"), name="approval_one_pending"
            ),
            models.CheckConstraint(
                condition=Q(phase__in=["Pending", "Approved", "Rejected", "Withdrawn", "Expired"]),
                name="approval_known_phase",
            ),
            # four eyes, whatever the code above forgets
            models.CheckConstraint(
                condition=~Q(phase="Approved") | (~Q(decider=F("requester")) & ~Q(decider=F("last_editor"))),
                name="approval_four_eyes",
            ),
            # a decision that nobody answers for
            models.CheckConstraint(
                condition=Q(phase="Pending", decided_at=None, decider="")
                | (~Q(phase="Pending") & Q(decided_at__isnull=False) & ~Q(decider="")),
                name="approval_decided_by_someone",
            ),
            models.CheckConstraint(
                condition=~Q(phase__in=["Rejected", "Withdrawn"]) | ~Q(comment=""), name="approval_no_needs_comment"
            ),
        ]

    @transition("phase", source=Phase.PENDING, target=Phase.APPROVED)
    def approve(self, decider: str, at: datetime, comment: str, last_editor: str) -> None:
        """A second person agrees."""
        self.last_editor = last_editor
        self._decided(decider, at, comment)

    @transition("phase", source=Phase.PENDING, target=Phase.REJECTED)
    def reject(self, decider: str, at: datetime, comment: str) -> None:
        """A second person refuses, and says why."""
        self._decided(decider, at, comment)

    @transition("phase", source=Phase.PENDING, target=Phase.WITHDRAWN)
    def withdraw(self, decider: str, at: datetime, comment: str) -> None:
        """Whoever asked takes it back, and says why."""
        self._decided(decider, at, comment)

    @transition("phase", source=Phase.PENDING, target=Phase.EXPIRED)
    def expire(self, decider: str, at: datetime) -> None:
        """Nobody decided in time."""
        self._decided(decider, at, "")

    def renew(self, reviewed: dict[str, Any], reviewed_hash: str, expires_at: datetime) -> None:
        """The requester stands by the request for the account as it is now."""
        self.reviewed, self.reviewed_hash, self.expires_at = reviewed, reviewed_hash, expires_at

    def _decided(self, decider: str, at: datetime, comment: str) -> None:
        self.decider, self.decided_at, self.comment = decider, at, comment
