"""Delivering what is owed, to a real SMTP server."""

import socket
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from email.message import Message
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as MessageHandler
from django.core.mail.backends.locmem import EmailBackend
from django.db.models import CharField, Value
from django.db.models.functions import Cast, Concat
from django.utils import timezone

from billing.models import Announcement, BillingAccount, Notice
from billing.services.notices.deliveries import message_id, requeue
from billing.services.suspensions import suspend
from billing.tasks import announce_standing, deliver_notices
from milo import audit
from milo.access import Actor
from milo.errors import Forbidden, NotFound
from milo.kube.models import Change
from projects.models import Organization
from tests.support import make, tamper
from tests.support.ledger import staff

OPERATOR = staff("finance-operator")


class Mailbox(MessageHandler):
    """Keeps what arrives; refuses the recipients in `unknown`."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Message] = []
        self.unknown: set[str] = set()
        self.busy = False

    async def handle_MAIL(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if self.busy:
            return "421 too busy"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if address in self.unknown:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    def handle_message(self, message: Message) -> None:
        self.messages.append(message)

    def recipients(self) -> list[str]:
        return sorted(str(message["To"]) for message in self.messages)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def mailbox(settings: Any) -> Iterator[Mailbox]:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    mailbox = Mailbox()
    server = Controller(mailbox, hostname="127.0.0.1", port=settings.EMAIL_PORT)
    server.start()
    yield mailbox
    server.stop()


@pytest.fixture
def suspended(organization: Organization) -> BillingAccount:
    """An account suspended while it paid for two projects with three contacts."""
    account = make.a_ready_account(organization, "us")
    for name, contacts in (("frontend", ["a@example.org", "b@example.org"]), ("backend", ["a@example.org"])):
        make.a_binding(make.a_project(organization, name, contact_email_addresses=contacts), account)
    return suspend(account.pk, reason_code="PaymentPastDue", message="Invoice <17> & 18", actor=OPERATOR)


def test_each_notice_is_one_message_to_one_recipient(suspended: BillingAccount, mailbox: Mailbox) -> None:
    assert deliver_notices() == 3
    assert mailbox.recipients() == ["a@example.org", "a@example.org", "b@example.org"]
    assert {str(found["Message-ID"]) for found in mailbox.messages} == {message_id(row) for row in Notice.objects.all()}
    assert all(row.phase == "Delivered" and row.delivered_at for row in Notice.objects.all())
    _whole, plain, html = (str(part.get_payload()) for part in mailbox.messages[0].walk())
    assert "Invoice <17> & 18" in plain
    assert "Invoice &lt;17&gt; &amp; 18" in html


def test_a_second_round_sends_nothing_again(suspended: BillingAccount, mailbox: Mailbox) -> None:
    deliver_notices()
    assert deliver_notices() == 0
    assert len(mailbox.messages) == 3


def test_a_claim_that_lapsed_is_taken_up_again_under_the_same_message_id(
    suspended: BillingAccount, mailbox: Mailbox
) -> None:
    ids = {message_id(row) for row in Notice.objects.all()}
    Notice.objects.update(claimed_until=timezone.now() + timedelta(seconds=20))
    assert deliver_notices() == 0
    Notice.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert deliver_notices() == 3
    assert {str(found["Message-ID"]) for found in mailbox.messages} == ids


def test_a_mail_server_that_is_away_costs_no_attempt(suspended: BillingAccount, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    assert deliver_notices() == 0
    for row in Notice.objects.all():
        assert (row.phase, row.attempts, row.claimed_until) == ("Pending", 0, None)
        assert row.last_error
        assert row.due_at < timezone.now() + timedelta(seconds=10)


def test_a_mail_server_that_is_busy_costs_no_attempt(suspended: BillingAccount, mailbox: Mailbox) -> None:
    mailbox.busy = True
    assert deliver_notices() == 0
    assert set(Notice.objects.values_list("phase", "attempts")) == {("Pending", 0)}
    mailbox.busy = False
    Notice.objects.update(due_at=timezone.now())
    assert deliver_notices() == 3


def test_a_refused_message_is_tried_after_growing_waits_and_then_dead(
    suspended: BillingAccount, mailbox: Mailbox
) -> None:
    mailbox.unknown.add("b@example.org")
    assert deliver_notices() == 2
    waits = []
    while (row := Notice.objects.get(recipient="b@example.org")).phase == "Pending":
        waits.append(round((row.due_at - timezone.now()).total_seconds() / 60))
        Notice.objects.filter(pk=row.pk).update(due_at=timezone.now())
        deliver_notices()
    assert waits == [1, 5, 30, 120, 720]
    assert row.phase == "Dead"
    assert "no such mailbox" in row.last_error
    told = Change.objects.get(reason="NoticeUndeliverable")
    assert (told.uid, told.actor) == (suspended.uid, "system:notice-delivery")
    assert told.message == "a notice (Suspended) was given up after 6 attempts"
    mailbox.unknown.clear()
    with pytest.raises(Forbidden):
        requeue(row.pk, actor=staff("auditor"))
    requeue(row.pk, actor=OPERATOR)
    deliver_notices()
    assert Counter(str(found["Message-ID"]) for found in mailbox.messages)[message_id(row)] == 1
    with pytest.raises(NotFound):
        requeue(row.pk, actor=OPERATOR)


def test_a_message_that_cannot_be_made_keeps_no_other_waiting(organization: Organization, mailbox: Mailbox) -> None:
    make.a_person("admin", email="a@example.org\nBcc: b@example.org", roles={organization: "billing-admin"})
    account = make.a_ready_account(organization, "us", invoice_email_addresses=["z@example.org"])
    suspend(account.pk, reason_code="PaymentPastDue", message="Invoice 17", actor=OPERATOR)
    assert deliver_notices() == 1
    assert mailbox.recipients() == ["z@example.org"]
    failed = Notice.objects.exclude(recipient="z@example.org").get()
    assert (failed.phase, failed.attempts) == ("Pending", 1)
    assert failed.last_error
    assert failed.due_at > timezone.now()


def test_a_purge_is_not_undone_by_a_notice_that_was_on_its_way(
    suspended: BillingAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    def purged_meanwhile(backend: EmailBackend, messages: list[Any]) -> int:
        with tamper.guards_off():
            Notice.objects.update(
                phase="Dead",
                claimed_until=None,
                context={},
                recipient=Concat(Value("purged-"), Cast("pk", CharField())),
            )
        return len(messages)

    monkeypatch.setattr(EmailBackend, "send_messages", purged_meanwhile)
    deliver_notices()
    for row in Notice.objects.all():
        assert row.phase == "Dead"
        assert row.recipient.startswith("purged-")
        assert row.context == {}


def test_projects_learn_of_their_payer_in_the_background(suspended: BillingAccount, mailbox: Mailbox) -> None:
    assert announce_standing() == 2
    told = Change.objects.filter(reason="PayerSuspended").order_by("name")
    assert list(told.values_list("name", "message")) == [
        (name, "Invoice <17> & 18") for name in ("backend", "frontend")
    ]
    condition = told[0].manifest["status"]["conditions"][1]
    assert (condition["type"], condition["status"], condition["reason"]) == (
        "PayerInGoodStanding",
        "False",
        "PaymentPastDue",
    )
    assert announce_standing() == 0
    assert not Announcement.objects.filter(done_at=None).exists()


def test_one_announcement_that_fails_keeps_no_other_waiting(
    suspended: BillingAccount, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make.a_ready_account(organization, "eu")
    make.a_binding(make.a_project(organization, "mobile"), other)
    suspend(other.pk, reason_code="PaymentPastDue", message="Invoice 19", actor=OPERATOR)
    touch = audit.mark_changed

    def fail_first(actor: Actor, row: Any, **why: str) -> None:
        if row.name != "mobile":
            raise RuntimeError("of this one alone")
        touch(actor, row, **why)

    monkeypatch.setattr(audit, "mark_changed", fail_first)
    assert announce_standing() == 1
    assert Announcement.objects.get(done_at=None).account == suspended
