"""Delivers what is owed: notices by mail, and revisions of projects whose payer's standing has changed.

Every row is owed already, so a crash at any point only makes it late: a claim that lapses is taken up again.
"""

import smtplib
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from billing.access import NOTICES
from billing.models import Announcement, BillingAccount, Notice, NoticeOutcome
from billing.models.binding import projects_paid_by
from billing.notice_texts import Text, render
from milo import audit, email_addresses
from milo.access import Actor
from milo.errors import NotFound

log = structlog.get_logger(__name__)
DELIVERER = Actor.system("notice-delivery")
BATCH = 20
CLAIM = timedelta(seconds=20)
OUTAGE_RETRY = timedelta(seconds=5)
PROJECTS_PER_ACT = 200
SERVICE_CLOSING = 421  # RFC 5321, section 3.8: the server may say so to any command
# the server is away, which says nothing about the message
OUTAGES = (OSError, smtplib.SMTPConnectError, smtplib.SMTPServerDisconnected, smtplib.SMTPHeloError)


def deliver_due() -> int:
    """Deliver every notice that is due; returns how many were handed to the mail server.

    At least once, always under the same Message-ID. A mail server that is away stops the round without counting
    as an attempt; a message that it refuses is tried again after 1 m, 5 m, 30 m, 2 h and 12 h, then it is Dead.
    """
    delivered = 0
    while claimed := list(_claim()):
        sent, outage = _send(claimed)
        delivered += sent
        if outage:
            break
    return delivered


def _claim() -> Iterable[Notice]:
    """Take up to 20 due notices, so that no other worker sends them meanwhile."""
    now = timezone.now()
    with transaction.atomic():
        due = Notice.objects.due(now).order_by("due_at", "pk")
        if connection.features.has_select_for_update_skip_locked:
            due = due.select_for_update(skip_locked=True)
        claimed = list(due[:BATCH])
        Notice.objects.filter(pk__in=[notice.pk for notice in claimed]).update(claimed_until=now + CLAIM)
    return Notice.objects.filter(pk__in=[notice.pk for notice in claimed]).select_related("account", "project")


def _send(notices: Sequence[Notice]) -> tuple[int, bool]:
    """How many of the claimed notices were sent, and whether the mail server went away."""
    sent, mailer = 0, get_connection()
    try:
        mailer.open()
        for notice in notices:
            if notice.claimed_until and timezone.now() >= notice.claimed_until:
                break  # another worker may hold it by now
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
                # a message that cannot be made must not keep the others waiting for ever
                log.exception("notice_failed", notice=notice.pk)
                _failed(notice, str(error))
            else:
                _succeeded(notice)
                sent += 1
        return sent, False
    except OUTAGES as error:
        log.warning("mail_server_away", error=str(error))
        # what was refused in this round keeps the later time it was given
        waiting = Notice.objects.filter(pk__in=[notice.pk for notice in notices], due_at__lte=timezone.now())
        waiting.filter(phase=Notice.Phase.PENDING).update(
            claimed_until=None, due_at=timezone.now() + OUTAGE_RETRY, last_error=str(error)
        )
        return sent, True
    finally:
        mailer.close()


def text_of(notice: Notice) -> Text:
    """What the recipient of a notice reads."""
    return render(
        notice.about, notice.context, account=notice.account, project=notice.project, language=notice.language
    )


def message(notice: Notice) -> EmailMultiAlternatives:
    """The mail of a notice: one recipient, plain text and HTML, a Message-ID that never changes.

    Envelope and header name the recipient's domain as the DNS has it; Django would encode it by IDNA 2003, which makes
    another domain of some. Raises ValueError for an address that no mail can be sent to.
    """
    text = text_of(notice)
    to = email_addresses.to_ascii(notice.recipient)
    mail = EmailMultiAlternatives(text.subject, text.plain, to=[to], headers={"Message-ID": message_id(notice)})
    mail.attach_alternative(text.html, "text/html")
    return mail


def message_id(notice: Notice) -> str:
    """RFC 5322 msg-id of a notice."""
    return f"<{notice.uid}@{settings.MILO_MESSAGE_ID_DOMAIN}>"


def _succeeded(notice: Notice) -> None:
    _record(notice, phase=Notice.Phase.DELIVERED, delivered_at=timezone.now(), last_error="")


def _failed(notice: Notice, why: str) -> None:
    if notice.attempts < len(Notice.BACKOFF):
        _record(notice, due_at=timezone.now() + Notice.BACKOFF[notice.attempts], last_error=why)
    else:
        _give_up(notice, why)


def _give_up(notice: Notice, why: str) -> None:
    """Put the notice aside, and tell its account by an event.

    The event names neither the recipient nor what the mail server said, which may be about staff.
    """
    with audit.transaction():
        account = BillingAccount.objects.locked().get(pk=notice.account_id)
        if _record(notice, phase=Notice.Phase.DEAD, last_error=why):
            message = f"a notice ({notice.about}) was given up after {notice.attempts + 1} attempts"
            audit.mark_changed(DELIVERER, account, reason="NoticeUndeliverable", why=message)


def _record(notice: Notice, **columns: Any) -> bool:
    """Note an attempt, unless a purge or another worker has taken the notice out of our hands meanwhile."""
    ours = Notice.objects.filter(pk=notice.pk, phase=Notice.Phase.PENDING, claimed_until=notice.claimed_until)
    with transaction.atomic():
        if not ours.update(attempts=F("attempts") + 1, claimed_until=None, **columns):
            return False
        if "phase" in columns:
            at = columns.get("delivered_at") or timezone.now()
            NoticeOutcome.objects.create(
                notice=notice, phase=columns["phase"], at=at, attempts=notice.attempts + 1, actor=DELIVERER.name
            )
        return True


def requeue(notice_id: int, *, actor: Actor) -> Notice:
    """Owe an undeliverable notice again, under its old Message-ID. Raises `Forbidden`, `NotFound` unless it is Dead."""
    actor.require("create", NOTICES, None, act="requeue")
    with transaction.atomic():
        # what a purge took the recipient from cannot be delivered to anybody
        dead = Notice.objects.filter(phase=Notice.Phase.DEAD, account__pseudonymised_on=None)
        notice = dead.select_for_update(of=("self",)).filter(pk=notice_id).first()
        if notice is None:
            raise NotFound("there is no such undeliverable notice")
        notice.phase, notice.attempts, notice.due_at = Notice.Phase.PENDING, 0, timezone.now()
        notice.save(update_fields=["phase", "attempts", "due_at"])
        NoticeOutcome.objects.create(notice=notice, phase=notice.phase, at=timezone.now(), attempts=0, actor=actor.name)
        return notice


def announce_due() -> int:
    """Write the revisions owed to projects whose payer's standing has changed; returns how many.

    In acts of 200 projects, each of which notes how far it got. One that fails keeps no other waiting.
    """
    told = 0
    for announcement_id in list(Announcement.objects.filter(done_at=None).order_by("pk").values_list("pk", flat=True)):
        try:
            while count := _announce(announcement_id):
                told += count
        except Exception:
            log.exception("announcement_failed", announcement=announcement_id)
    return told


def _announce(announcement_id: int) -> int:
    with audit.transaction():
        # two workers would each tell the same projects
        owed = Announcement.objects.select_for_update(of=("self",)).select_related("account").get(pk=announcement_id)
        if owed.done_at:
            return 0
        bound = projects_paid_by(owed.account).filter(pk__gt=owed.last_project_id)
        projects = list(bound.locked()[:PROJECTS_PER_ACT])
        for project in projects:
            audit.mark_changed(Actor(owed.actor), project, reason=owed.reason, why=owed.message)
        if projects:
            owed.last_project_id = projects[-1].pk
        else:
            owed.done_at = timezone.now()
        owed.save()
        return len(projects)
