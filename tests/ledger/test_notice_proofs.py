"""Notices are sealed as they were owed, and what became of them: whoever removes or rewrites one is found."""

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from billing.models import BillingAccount, Notice, NoticeOutcome
from billing.services.suspensions import suspend
from billing.tasks import deliver_notices
from milo.ledger import seals
from milo.ledger.verification import verify
from projects.models import Organization
from tests.support import make, tamper

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def suspended_account(organization: Organization) -> BillingAccount:
    """A suspended account whose notices were delivered, but for one, and are sealed."""
    account = make.a_ready_account(organization, invoice_email_addresses=["a@acme-corp.example", "b@acme-corp.example"])
    make.a_binding(make.a_project(organization, contact_email_addresses=["c@acme-corp.example"]), account)
    suspend(account.pk, reason_code="PaymentPastDue", message="Invoice 17", actor=make.PLATFORM)
    seals.seal()
    Notice.objects.filter(recipient="b@acme-corp.example").update(due_at=timezone.now() + HOUR)
    assert deliver_notices() == 2
    seals.seal()
    assert verify().faults == []
    return account


def delivered() -> Notice:
    return Notice.objects.filter(phase="Delivered").earliest("pk")


def remove_all() -> None:
    tamper.remove(*NoticeOutcome.objects.all(), *Notice.objects.all())


def back_date() -> None:
    at = timezone.now() - HOUR
    tamper.alter(delivered(), delivered_at=at)


def back_date_with_its_outcome() -> None:
    back_date()
    NoticeOutcome.objects.update(at=delivered().delivered_at)


TAMPERING: dict[str, tuple[Callable[[], object], str]] = {
    "all removed": (remove_all, "billing_notice"),
    "one removed": (lambda: tamper.remove(Notice.objects.get(phase="Pending")), "billing_notice"),
    "another recipient": (lambda: tamper.alter(delivered(), recipient="x@acme-corp.example"), "billing_notice"),
    "another message": (lambda: tamper.alter(delivered(), context={}), "billing_notice"),
    "delivered earlier": (back_date, "billing_notice"),
    "delivered earlier, outcome too": (back_date_with_its_outcome, "billing_noticeoutcome"),
    "said to be delivered": (
        lambda: Notice.objects.filter(phase="Pending").update(phase="Delivered", delivered_at=timezone.now()),
        "billing_notice",
    ),
    "owed again": (lambda: tamper.alter(delivered(), phase="Pending", delivered_at=None), "billing_notice"),
    "outcomes removed": (lambda: tamper.remove(*NoticeOutcome.objects.all()), "billing_noticeoutcome"),
}


@pytest.mark.parametrize("name", TAMPERING)
def test_what_was_done_to_notices_is_found(name: str, suspended_account: BillingAccount) -> None:
    act, table = TAMPERING[name]
    with tamper.guards_off():
        act()
    assert table in {fault.table for fault in verify().faults}


def test_a_notice_inserted_among_those_sealed_is_found(suspended_account: BillingAccount) -> None:
    copy = Notice.objects.values().latest("pk") | {"id": 0, "uid": uuid4(), "recipient": "d@acme-corp.example"}
    with tamper.guards_off():
        Notice.objects.bulk_create([Notice(**copy)])
    assert ("billing_notice", 0) in {(fault.table, fault.row) for fault in verify().faults}
