"""Deliver the outbox: notices by mail, and announcements as events of accounts and projects.

Both are rows already, so that a crash at any point only delays them: a notice whose claim has expired is sent by the
next round.
"""

import smtplib
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from billing.access import NOTICES
from billing.features import NOTICE_DELIVERY
from billing.models import Announcement, BillingAccount, Notice, NoticeOutcome
from billing.models.affiliation import accounts_invoiced_to, projects_invoiced_to
from billing.notice_texts import Text, render
from milo import audit, email_addresses, feature_gates, traces
from milo.access import Actor
from milo.errors import NotFound

log = structlog.get_logger(__name__)
DELIVERER = Actor.system("notice-delivery")
BATCH = 20
CLAIM = timedelta(seconds=20)
OUTAGE_RETRY = timedelta(seconds=5)
ANNOUNCED_AT_ONCE = 200
SERVICE_CLOSING = 421  # RFC 5321, section 3.8: the server may say so to any command
# the server is away, which says nothing about the message
OUTAGES = (OSError, smtplib.SMTPConnectError, smtplib.SMTPServerDisconnected, smtplib.SMTPHeloError)


def deliver_due() -> int:
    """Deliver every notice that is due, and return how many the mail server accepted.

    Delivery is at least once, under a Message-ID that never changes. If the mail server is away the round stops, and
    no attempt is counted. A message that the server refuses is tried again after 1 m, 5 m, 30 m, 2 h and 12 h; then it
    is Dead (a dead letter), until an operator requeues it.
    """
    delivered = 0
    if not feature_gates.enabled(NOTICE_DELIVERY):
        return delivered
    while claimed := list(_claim()):
        sent, outage = _send(claimed)
        delivered += sent
        if outage:
            break
    return delivered


def _claim() -> Iterable[Notice]:
    """Claim up to 20 due notices for 20 seconds, so that no other worker sends them as well."""
    now = timezone.now()
    with transaction.atomic():
        due = Notice.objects.due(now).order_by("due_at", "pk")
        if connection.features.has_select_for_update_skip_locked:
            due = due.select_for_update(skip_locked=True)
        claimed = list(due[:BATCH])
        Notice.objects.filter(pk__in=[notice.pk for notice in claimed]).update(claimed_until=now + CLAIM)
    return Notice.objects.filter(pk__in=[notice.pk for notice in claimed]).select_related("account", "project")


def _send(notices: Sequence[Notice]) -> tuple[int, bool]:
    """Send the claimed notices; return how many were sent, and whether the mail server went away.

    A fault of one message is an attempt of that notice, and the next one is sent. A fault of the server ends the round:
    it says nothing about a message, so that no attempt is counted, and the rest is due again in 5 seconds.
    """
    sent, mailer = 0, get_connection()
    try:
        mailer.open()
        for notice in notices:
            if notice.claimed_until and timezone.now() >= notice.claimed_until:
                break  # another worker may have claimed it by now
            with traces.span("notice", notice.traceparent, notice.tracestate):
                sent += _deliver(mailer, notice)
        return sent, False
    except OUTAGES as error:
        log.warning("mail_server_away", error=error)
        # only those still due: a message refused in this round keeps its later time
        waiting = Notice.objects.filter(pk__in=[notice.pk for notice in notices], due_at__lte=timezone.now())
        waiting.filter(phase=Notice.Phase.PENDING).update(
            claimed_until=None, due_at=timezone.now() + OUTAGE_RETRY, last_error=str(error)
        )
        return sent, True
    finally:
        mailer.close()


def _deliver(mailer: Any, notice: Notice) -> bool:
    """Send one claimed notice, and return whether the server accepted it. Raises what means that the server is away."""
    delivered = False
    try:
        mailer.send_messages([message(notice)])
    except smtplib.SMTPServerDisconnected:
        raise
    except smtplib.SMTPException as error:
        if getattr(error, "smtp_code", None) == SERVICE_CLOSING:
            raise smtplib.SMTPServerDisconnected(str(error)) from error
        _failed(notice, str(error))
    except OSError:
        raise
    except Exception as error:
        # a message that cannot be rendered must not block the others for ever
        log.exception("notice_failed", notice=notice.pk)
        _failed(notice, str(error))
    else:
        _succeeded(notice)
        delivered = True
    log.info("notice", notice=notice.pk, about=notice.about, outcome="success" if delivered else "failed")
    return delivered


def text_of(notice: Notice) -> Text:
    """Return the text of a notice, in its language."""
    return render(
        notice.about, notice.context, account=notice.account, project=notice.project, language=notice.language
    )


def message(notice: Notice) -> EmailMultiAlternatives:
    """Return the mail of a notice: one recipient, plain text and HTML, a Message-ID that never changes.

    Envelope and header hold the recipient's domain in ASCII by IDNA 2008. Django would encode it by IDNA 2003, which
    turns some domains into others. Raises ValueError for an address that no mail can be sent to.
    """
    text = text_of(notice)
    to = email_addresses.to_ascii(notice.recipient)
    mail = EmailMultiAlternatives(text.subject, text.plain, to=[to], headers={"Message-ID": message_id(notice)})
    mail.attach_alternative(text.html, "text/html")
    return mail


def message_id(notice: Notice) -> str:
    """Return the msg-id (RFC 5322) of a notice."""
    return f"<{notice.uid}@{settings.MILO_MESSAGE_ID_DOMAIN}>"


def _succeeded(notice: Notice) -> None:
    _record(notice, phase=Notice.Phase.DELIVERED, delivered_at=timezone.now(), last_error="")


def _failed(notice: Notice, why: str) -> None:
    if notice.attempts < len(Notice.BACKOFF):
        _record(notice, due_at=timezone.now() + Notice.BACKOFF[notice.attempts], last_error=why)
    else:
        _give_up(notice, why)


def _give_up(notice: Notice, why: str) -> None:
    """Make the notice Dead, and write an event of its account.

    Customers read the event. So it names neither the recipient, who may be staff, nor the answer of the mail server.
    """
    with audit.transaction():
        account = BillingAccount.objects.locked().get(pk=notice.account_id)
        if _record(notice, phase=Notice.Phase.DEAD, last_error=why):
            message = f"a notice ({notice.about}) was given up after {notice.attempts + 1} attempts"
            audit.mark_changed(DELIVERER, account, reason="NoticeUndeliverable", why=message)


def _record(notice: Notice, **columns: Any) -> bool:
    """Record an attempt; return False if a purge or another worker has changed the notice since it was claimed."""
    claimed = Notice.objects.filter(pk=notice.pk, phase=Notice.Phase.PENDING, claimed_until=notice.claimed_until)
    with transaction.atomic():
        if not claimed.update(attempts=F("attempts") + 1, claimed_until=None, **columns):
            return False
        if "phase" in columns:
            at = columns.get("delivered_at") or timezone.now()
            NoticeOutcome.objects.create(
                notice=notice, phase=columns["phase"], at=at, attempts=notice.attempts + 1, actor=DELIVERER.name
            )
        return True


def requeue(notice_id: int, *, actor: Actor) -> Notice:
    """Queue a dead notice again, under its old Message-ID.

    Raises `Forbidden`; `NotFound` unless the notice is Dead and its account is not purged.
    """
    actor.require("create", NOTICES, None, action="requeue")
    with transaction.atomic():
        # a purge has removed the recipient
        dead = Notice.objects.filter(phase=Notice.Phase.DEAD, account__pseudonymised_on=None)
        notice = dead.select_for_update(of=("self",)).filter(pk=notice_id).first()
        if notice is None:
            raise NotFound("there is no such undeliverable notice")
        notice.phase, notice.attempts, notice.due_at = Notice.Phase.PENDING, 0, timezone.now()
        notice.save(update_fields=["phase", "attempts", "due_at"])
        NoticeOutcome.objects.create(notice=notice, phase=notice.phase, at=timezone.now(), attempts=0, actor=actor.name)
        return notice


def announce_due() -> int:
    """Write the queued events of accounts and projects whose payer changed its phase, and return how many."""
    return in_steps(Announcement.objects.exclude(reason=Announcement.REVISED), _tell)


def in_steps(owed: QuerySet[Announcement], step: Callable[[Announcement], int]) -> int:
    """Call `step` for each announcement that is not done until it returns 0, and return the sum.

    Each transaction is one step, of at most ANNOUNCED_AT_ONCE rows, and stores how far it got. A failure of one
    announcement is logged; the others go on.
    """
    events = 0
    for announcement_id, parent, state in list(
        owed.filter(done_at=None).order_by("pk").values_list("pk", "traceparent", "tracestate")
    ):
        with traces.span("announcement", parent, state):
            try:
                while count := _announce(announcement_id, step):
                    events += count
            except Exception:
                log.exception("announcement_failed", announcement=announcement_id)
    return events


def _announce(announcement_id: int, step: Callable[[Announcement], int]) -> int:
    with audit.transaction():
        # locked, or two workers would write the events of the same projects
        announcement = (
            Announcement.objects.select_for_update(of=("self",)).select_related("account").get(pk=announcement_id)
        )
        if announcement.done_at:
            return 0
        events = step(announcement)
        if not events:
            announcement.done_at = timezone.now()
        announcement.save()
        return events


def _tell(announcement: Announcement) -> int:
    return _tell_accounts(announcement) or _tell_projects(announcement)


def _tell_accounts(announcement: Announcement) -> int:
    """Write the next revisions of the accounts that the account is payer of record of: their condition shows it."""
    if announcement.last_project_id:
        return 0
    payer, accounts = announcement.account, next_accounts(announcement)
    ready = payer.phase == BillingAccount.Phase.READY
    reason = "PayerOfRecordReady" if ready else "PayerOfRecordNotReady"
    why = f"{payer.name} is {payer.phase}: {payer.phase_message}"
    for account in accounts:
        audit.mark_changed(Actor(announcement.actor), account, reason=reason, why=why)
    return len(accounts)


def next_accounts(announcement: Announcement) -> list[BillingAccount]:
    """Lock and return the next accounts that the announcement's is payer of record of; it moves on past them."""
    paid = accounts_invoiced_to(announcement.account).filter(pk__gt=announcement.last_account_id)
    accounts = list(paid.locked()[:ANNOUNCED_AT_ONCE])
    if accounts:
        announcement.last_account_id = accounts[-1].pk
    return accounts


def _tell_projects(announcement: Announcement) -> int:
    bound = projects_invoiced_to(announcement.account).filter(pk__gt=announcement.last_project_id)
    projects = list(bound.locked()[:ANNOUNCED_AT_ONCE])
    for project in projects:
        audit.mark_changed(Actor(announcement.actor), project, reason=announcement.reason, why=announcement.message)
        announcement.last_project_id = project.pk
    return len(projects)
