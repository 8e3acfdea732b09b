from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import models
from django.db.models import Case, Exists, F, OuterRef, Q, Value, When
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Concat, Replace
from django.utils import timezone
from django.utils.translation import gettext_lazy
from django_fsm import transition

from billing.models.account import BillingAccount
from billing.models.edits import REVIEWED, by, edits, standings
from milo import audit
from milo.columns import Columns, fixed
from milo.compiled_queries import Literal
from milo.kube.models import Resource, ResourceQuerySet
from milo.phases import PhaseField, PhaseLoading
from milo.word_indexes import WordIndex

_NAME_BETWEEN_LINE_FEEDS: Any = Concat(Value("\n"), F("decider"), Value("\n"))


def public_review(reviewed: dict[str, Any]) -> dict[str, Any]:
    """Return a value of the column `reviewed` as customers may read it.

    It lacks the internal note of a hold, which earlier versions stored with it.
    """
    hold = reviewed.get("hold")
    if not isinstance(hold, dict) or "reason" not in hold:
        return reviewed
    return {**reviewed, "hold": {key: value for key, value in hold.items() if key != "reason"}}


class ApprovalRequestQuerySet(ResourceQuerySet["ApprovalRequest"]):
    def pending(self) -> "ApprovalRequestQuerySet":
        """Select requests that wait for a decision."""
        # the literal of the index `approval_pending`: every page of the staff site asks
        return self.filter(phase=Literal(ApprovalRequest.Phase.PENDING.value))

    def of_same_act(self, request: "ApprovalRequest") -> "ApprovalRequestQuerySet":
        """Select requests of which only one may be pending: of its act on its account, or about its project.

        Several requests to move projects may wait, each with its own.
        """
        if request.act == ApprovalRequest.Action.MOVE_PAYERS:
            return self.none()
        if request.act in ApprovalRequest.OF_A_PROJECT:
            project = request.proposal.get("project", "")
            return self.filter(organization=request.organization_id, act=request.act, proposal__project=project)
        return self.filter(account=request.account_id, act=request.act)

    def overdue(self, at: datetime | None = None) -> "ApprovalRequestQuerySet":
        """Select pending requests that had expired at the instant `at` (UTC), by default now."""
        return self.pending().filter(expires_at__lte=at or timezone.now())

    def approved(self) -> "ApprovalRequestQuerySet":
        """Select requests that a second person approved."""
        return self.filter(phase=ApprovalRequest.Phase.APPROVED)

    def with_deactivated(self) -> "ApprovalRequestQuerySet":
        """Annotate requests with `owner_deactivated`: whether the owner is a person whose user is deactivated."""
        owner = Case(When(taken_over_by="", then=F("requester")), default=F("taken_over_by"))
        deactivated = User.objects.filter(is_active=False).annotate(actor=Concat(Value("user:"), F("username")))
        return self.annotate(stands_by=owner).annotate(
            owner_deactivated=Exists(deactivated.filter(actor=OuterRef("stands_by")))
        )

    def awaiting(self, person: Any, at: Any = None) -> "ApprovalRequestQuerySet":
        """Select requests that `person` (an actor's name) could approve at the instant `at` (UTC), by default now.

        These are pending and not expired, and their owner is not deactivated. Neither `person` nor a credential that
        `person` created requested, renewed or took them over, or changed a reviewed value since the last approval.
        """
        waiting = self.pending().filter(expires_at__gt=at or timezone.now())
        waiting = waiting.exclude(requester=person).exclude(taken_over_by=person).with_deactivated()
        edited = [edits(model, OuterRef("account"), ApprovalRequest.objects.approved()) for model in REVIEWED]
        rows = [*edited, standings(ApprovalRequest, OuterRef("pk"))]
        return waiting.filter(*(~Exists(history.filter(by(person))) for history in rows), Q(owner_deactivated=False))


class ApprovalRequest(PhaseLoading, Resource):
    """An action on an account that takes effect only when a second person approves it."""

    class Phase(models.TextChoices):
        PENDING = "Pending", gettext_lazy("Pending")
        APPROVED = "Approved", gettext_lazy("Approved")
        REJECTED = "Rejected", gettext_lazy("Rejected")
        WITHDRAWN = "Withdrawn", gettext_lazy("Withdrawn")
        EXPIRED = "Expired", gettext_lazy("Expired")

    class Action(models.TextChoices):
        REACTIVATE = "Reactivate", gettext_lazy("Reactivate")
        CLOSE = "Close", gettext_lazy("Close")
        REOPEN = "Reopen", gettext_lazy("Reopen")
        REVISE_TERMS = "ReviseTerms", gettext_lazy("Revise terms")
        RELEASE_HOLD = "ReleaseHold", gettext_lazy("Release a hold")
        ASSIGN_USAGE = "AssignUsage", gettext_lazy("Assign usage")
        REDATE_BINDINGS = "RedateBindings", gettext_lazy("Redate bindings")
        CORRECT_PAYER = "CorrectPayer", gettext_lazy("Correct the payer")
        AFFILIATE = "Affiliate", gettext_lazy("Affiliate")
        MOVE_PAYERS = "MovePayers", gettext_lazy("Move projects")

    # acts on a project: one request of it waits at a time, whichever account it names
    OF_A_PROJECT = (Action.REDATE_BINDINGS, Action.CORRECT_PAYER)

    organization = models.ForeignKey("projects.Organization", models.PROTECT, related_name="approval_requests")
    account = models.ForeignKey(
        BillingAccount, models.PROTECT, related_name="approval_requests", verbose_name=gettext_lazy("billing account")
    )
    act = models.CharField(gettext_lazy("action"), max_length=20, choices=Action.choices)
    justification = models.TextField(gettext_lazy("justification"))
    proposal = models.JSONField(gettext_lazy("proposed change"), default=dict, blank=True)
    reviewed = models.JSONField(gettext_lazy("account as reviewed"), editable=False)
    reviewed_hash = models.CharField(gettext_lazy("hash of the account as reviewed"), max_length=64, editable=False)
    requester = models.CharField(gettext_lazy("requester"), max_length=200, editable=False)
    requested_at = models.DateTimeField(gettext_lazy("requested at"), editable=False)
    expires_at = models.DateTimeField(gettext_lazy("expires at"), editable=False)
    phase = PhaseField(gettext_lazy("phase"), choices=Phase.choices, default=Phase.PENDING, editable=False)
    taken_over_by = models.CharField(
        gettext_lazy("taken over by"), max_length=200, blank=True, default="", db_default="", editable=False
    )
    last_editor = models.CharField(
        gettext_lazy("last editor of what was approved"), max_length=200, blank=True, editable=False
    )
    editors = models.TextField(
        gettext_lazy("editors of what was approved"),
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text=gettext_lazy("Everybody who changed it since the approval before: each name between two line feeds."),
    )
    decider = models.CharField(gettext_lazy("decider"), max_length=200, blank=True, editable=False)
    decided_at = models.DateTimeField(gettext_lazy("decided at"), null=True, editable=False)
    comment = models.TextField(gettext_lazy("comment"), blank=True)

    columns = Columns.of(
        fixed(
            "approval_identity_fixed",
            f"{Resource.FIXED} organization_id account_id act justification proposal requester requested_at",
        ),
        fixed(
            "approval_decision_fixed",
            "reviewed reviewed_hash expires_at phase taken_over_by last_editor editors decider decided_at comment",
            once="OLD.phase <> 'Pending'",
        ),
        free=Resource.FREE,
        texts=f"{Resource.TEXTS} justification reviewed comment",
    )
    history = audit.history(
        unrecorded=("managed_fields",),
        time_line="account",
    )
    objects = ApprovalRequestQuerySet.as_manager()

    manifest_paths = Resource.manifest_paths | {
        "justification": "spec.justification",
        "proposal": "spec.proposal",
        "comment": "spec.comment",
    }
    # a copy of the account, whose own columns were searched; a hash, which looks like a card number in 1 of 1,250 cases
    opaque_columns = frozenset({"reviewed", "reviewed_hash"})
    # the seals of the first version do not cover these
    later_columns = Resource.later_columns | {"editors", "taken_over_by"}
    name_constraint = "approval_name_in_organization"

    class Meta:
        verbose_name = gettext_lazy("approval request")
        verbose_name_plural = gettext_lazy("approval requests")
        constraints = [
            models.UniqueConstraint(fields=["organization", "name"], name="approval_name_in_organization"),
            # two concurrent requests for one action would both be approved; of two moves the second is refused then
            models.UniqueConstraint(
                fields=["account", "act"],
                condition=Q(phase="Pending") & ~Q(act__in=["CorrectPayer", "MovePayers", "RedateBindings"]),
                name="approval_one_pending_of_account",
            ),
            models.UniqueConstraint(
                "organization",
                "act",
                KeyTextTransform("project", "proposal"),
                condition=Q(phase="Pending", act__in=["CorrectPayer", "RedateBindings"]),
                name="approval_one_pending_of_project",
            ),
            models.CheckConstraint(
                condition=Q(phase__in=["Pending", "Approved", "Rejected", "Withdrawn", "Expired"]),
                name="approval_known_phase",
            ),
            # four eyes, even if a service forgets to check
            models.CheckConstraint(
                condition=~Q(phase="Approved")
                | (
                    ~Q(decider=F("requester"))
                    & ~Q(decider=F("taken_over_by"))
                    & ~Q(decider=F("last_editor"))
                    & Q(editors=Replace("editors", _NAME_BETWEEN_LINE_FEEDS, Value("")))
                ),
                name="approval_four_eyes",
            ),
            # every decision has somebody who answers for it
            models.CheckConstraint(
                condition=Q(phase="Pending", decided_at=None, decider="")
                | (~Q(phase="Pending") & Q(decided_at__isnull=False) & ~Q(decider="")),
                name="approval_decided_by_someone",
            ),
            models.CheckConstraint(
                condition=~Q(phase__in=["Rejected", "Withdrawn"]) | ~Q(comment=""), name="approval_no_needs_comment"
            ),
        ]
        indexes = [
            # the few that wait, among all that were decided: the inbox, and the side bar of every page
            models.Index(fields=["requested_at", "id"], name="approval_pending", condition=Q(phase="Pending")),
            # filters and searches of the staff site
            models.Index(fields=["phase", "id"], name="approval_by_phase"),
            models.Index(fields=["act", "id"], name="approval_by_act"),
            WordIndex(words=["name", "requester", "decider"], name="approval_words"),
        ]

    @transition("phase", source=Phase.PENDING, target=Phase.APPROVED)
    def approve(self, decider: str, at: datetime, comment: str, editors: Collection[str]) -> None:
        """A second person agrees. A constraint refuses `decider` among `editors`, who changed what was reviewed."""
        self.editors = "".join(f"\n{name}\n" for name in sorted(editors))
        self._decided(decider, at, comment)

    @transition("phase", source=Phase.PENDING, target=Phase.REJECTED)
    def reject(self, decider: str, at: datetime, comment: str) -> None:
        """A second person refuses, with a comment."""
        self._decided(decider, at, comment)

    @transition("phase", source=Phase.PENDING, target=Phase.WITHDRAWN)
    def withdraw(self, decider: str, at: datetime, comment: str) -> None:
        """The owner takes the request back, with a comment."""
        self._decided(decider, at, comment)

    @transition("phase", source=Phase.PENDING, target=Phase.EXPIRED)
    def expire(self, decider: str, at: datetime) -> None:
        """Nobody decided in time."""
        self._decided(decider, at, "")

    def renew(self, reviewed: dict[str, Any], reviewed_hash: str, expires_at: datetime) -> None:
        """Replace the review by one of the account's current state, with a new time to decide."""
        self.reviewed, self.reviewed_hash, self.expires_at = reviewed, reviewed_hash, expires_at

    @property
    def owner(self) -> str:
        """Return the name of the actor responsible for the request: who took it over, else the requester."""
        return self.taken_over_by or self.requester

    def take_over(self, person: str) -> None:
        """Make `person` the owner of the request, whose owner is deactivated."""
        self.taken_over_by = person

    def _decided(self, decider: str, at: datetime, comment: str) -> None:
        self.decider, self.decided_at, self.comment = decider, at, comment
