import uuid
from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy

from billing.models.account import BillingAccount
from milo import traces
from milo.columns import Columns, fixed
from milo.word_indexes import WordIndex
from projects.models import Project


class NoticeQuerySet(models.QuerySet["Notice"]):
    def due(self, at: datetime) -> "NoticeQuerySet":
        """Select pending notices due at the instant `at` (UTC) that no worker has claimed."""
        unclaimed = Q(claimed_until=None) | Q(claimed_until__lte=at)
        return self.filter(unclaimed, phase=Notice.Phase.PENDING, due_at__lte=at)


class Notice(models.Model):
    """A message to one recipient, in the outbox: written in the transaction of its cause, delivered in the background.

    The row is also the receipt: when the message was delivered, or why not yet. Its Message-ID is made from `uid`, so
    that mail clients recognize a repeated delivery.
    """

    class Phase(models.TextChoices):
        PENDING = "Pending", gettext_lazy("Pending")
        DELIVERED = "Delivered", gettext_lazy("Delivered")
        DEAD = "Dead", gettext_lazy("Undeliverable")

    class About(models.TextChoices):
        SUSPENDED = "Suspended", gettext_lazy("Payer suspended")
        REACTIVATED = "Reactivated", gettext_lazy("Payer reactivated")
        CLOSED = "Closed", gettext_lazy("Closure approved")
        AWAITING_DECISION = "AwaitingDecision", gettext_lazy("Request awaiting decision")
        DECIDED = "Decided", gettext_lazy("Request decided")
        ARCHIVE_COMING = "ArchiveComing", gettext_lazy("Archival coming")
        PURGE_COMING = "PurgeComing", gettext_lazy("Purge coming")
        PROFILE_EXPIRING = "ProfileExpiring", gettext_lazy("Payment profile expiring")
        MOVE_AT_RISK = "MoveAtRisk", gettext_lazy("Planned payer change at risk")
        MOVE_FAILED = "MoveFailed", gettext_lazy("Payer change failed")
        PAYER_CORRECTED = "PayerCorrected", gettext_lazy("Payer corrected")
        AFFILIATION_AT_RISK = "AffiliationAtRisk", gettext_lazy("Planned affiliation at risk")
        AFFILIATION_FAILED = "AffiliationFailed", gettext_lazy("Affiliation failed")

    BACKOFF = (
        timedelta(minutes=1),
        timedelta(minutes=5),
        timedelta(minutes=30),
        timedelta(hours=2),
        timedelta(hours=12),
    )

    uid = models.UUIDField(gettext_lazy("UID"), default=uuid.uuid4, unique=True, editable=False)
    about = models.CharField(gettext_lazy("about"), max_length=20, choices=About.choices)
    channel = models.CharField(gettext_lazy("channel"), max_length=10, default="email")
    account = models.ForeignKey(BillingAccount, models.PROTECT, related_name="notices")
    project = models.ForeignKey(Project, models.PROTECT, null=True, related_name="notices")
    cause_uid = models.UUIDField(
        help_text="the suspension, request, account or payment profile that the notice is owed for"
    )
    subject_uid = models.UUIDField(help_text="the project or account that it is about")
    recipient = models.EmailField(gettext_lazy("recipient"))
    language = models.CharField(gettext_lazy("language"), max_length=10, default="en")
    context = models.JSONField(default=dict)
    phase = models.CharField(gettext_lazy("phase"), max_length=10, choices=Phase.choices, default=Phase.PENDING)
    created_at = models.DateTimeField(gettext_lazy("owed since"), default=timezone.now)
    due_at = models.DateTimeField(gettext_lazy("next attempt"), default=timezone.now)
    claimed_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(gettext_lazy("attempts"), default=0)
    delivered_at = models.DateTimeField(gettext_lazy("delivered at"), null=True)
    last_error = models.TextField(gettext_lazy("last error"), blank=True)
    # continues the trace of the request that queued it
    traceparent = models.CharField(
        max_length=traces.LENGTH, blank=True, default=traces.traceparent, db_default="", editable=False
    )
    tracestate = models.CharField(
        max_length=traces.STATE_LENGTH, blank=True, default=traces.tracestate, db_default="", editable=False
    )

    # proof that people were notified: who, of what, and when
    columns = Columns.of(
        fixed(
            "notice_identity_fixed",
            "id uid about channel account_id project_id cause_uid subject_uid recipient language context created_at",
        ),
        fixed("notice_delivered_fixed", "phase delivered_at", once="OLD.phase = 'Delivered'"),
        free="due_at claimed_until attempts last_error traceparent tracestate",
        personal="recipient",
        texts="context last_error",
    )
    objects = NoticeQuerySet.as_manager()

    class Meta:
        verbose_name = gettext_lazy("notice")
        verbose_name_plural = gettext_lazy("notices")
        constraints = [
            # one message per recipient, cause and subject, however often the action is repeated
            models.UniqueConstraint(fields=["about", "cause_uid", "subject_uid", "recipient"], name="notice_owed_once"),
            models.CheckConstraint(
                condition=(Q(phase="Delivered") & Q(delivered_at__isnull=False))
                | (Q(phase__in=["Pending", "Dead"]) & Q(delivered_at=None)),
                name="notice_delivered_has_time",
            ),
        ]
        indexes = [
            # the periodic task looks for the few pending ones among all delivered ones
            models.Index(fields=["due_at"], name="notice_owed", condition=Q(phase="Pending")),
            # the list of the staff site, newest first
            models.Index(fields=["-created_at", "-id"], name="notice_newest_first"),
            # the home page: the few that are undeliverable
            models.Index(fields=["created_at"], name="notice_dead", condition=Q(phase="Dead")),
            # searches of the staff site
            WordIndex(words=["recipient"], name="notice_words"),
        ]

    def __str__(self) -> str:
        return f"{self.get_about_display()} {self.recipient}"


class NoticeOutcome(models.Model):
    """A change of a notice's phase: delivered, undeliverable, or requeued. Rows are only added, and are sealed.

    The phase of a notice is that of its newest outcome; Pending without one.
    """

    notice = models.ForeignKey(Notice, models.PROTECT, related_name="outcomes")
    phase = models.CharField(gettext_lazy("phase"), max_length=10, choices=Notice.Phase.choices)
    at = models.DateTimeField(gettext_lazy("at"))
    attempts = models.PositiveSmallIntegerField(gettext_lazy("attempts"))
    actor = models.CharField(gettext_lazy("by"), max_length=200)

    class Meta:
        verbose_name = gettext_lazy("outcome of a notice")
        verbose_name_plural = gettext_lazy("outcomes of notices")

    def __str__(self) -> str:
        return f"{self.notice_id} {self.phase}"


class Announcement(models.Model):
    """A change of an account's phase to announce, in the background.

    Revisions and events of the accounts that it is payer of record of come first, then those of the projects. Of one
    that was `REVISED` the accounts are assessed anew, and no project is told.
    """

    REVISED = "PayerOfRecordRevised"

    account = models.ForeignKey(BillingAccount, models.PROTECT, related_name="announcements")
    reason = models.CharField(max_length=60)
    message = models.TextField(blank=True)
    actor = models.CharField(max_length=200)
    owed_at = models.DateTimeField(default=timezone.now)
    last_account_id = models.BigIntegerField(
        default=0, db_default=0, help_text="accounts that it pays for, up to this one, have been told"
    )
    last_project_id = models.BigIntegerField(default=0, help_text="projects up to this one have been told")
    done_at = models.DateTimeField(null=True)
    traceparent = models.CharField(
        max_length=traces.LENGTH, blank=True, default=traces.traceparent, db_default="", editable=False
    )
    tracestate = models.CharField(
        max_length=traces.STATE_LENGTH, blank=True, default=traces.tracestate, db_default="", editable=False
    )

    class Meta:
        verbose_name = gettext_lazy("announcement")
        verbose_name_plural = gettext_lazy("announcements")
        indexes = [models.Index(fields=["owed_at"], name="announcement_owed", condition=Q(done_at=None))]

    def __str__(self) -> str:
        return f"{self.reason} {self.account}"
