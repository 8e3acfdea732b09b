"""What stands in the way of a closure, and holds."""

from datetime import date
from decimal import Decimal

import pytest

from billing.models import BillingAccount, Hold
from billing.services.approvals.closures import blockers
from billing.services.approvals.requests import request_approval
from billing.services.charges import ChargeSpec, report_charge
from billing.services.holds import set_hold
from milo.errors import Forbidden, Invalid
from projects.models import Organization
from tests.support import make
from tests.support.ledger import member, nothing_changes, refused, staff
from tests.support.make import approve

OPERATOR = staff("finance-operator")
pytestmark = pytest.mark.django_db


def test_every_blocker_is_listed_at_once_with_what_removes_it(
    organization: Organization, account: BillingAccount
) -> None:
    make.a_binding(make.a_project(organization, "frontend"), account, "frontend-us")
    charge = ChargeSpec("invoice-17", Decimal("10.00"), "USD", date(2026, 12, 31))
    report_charge(organization.pk, "us", charge, name="invoice-17", actor=staff("charge-reporter"))
    hold = set_hold(account.pk, type="Dispute", message="who owns it", actor=OPERATOR)
    terms = {"paymentTerms": {"netDays": 90, "invoiceFrequency": "Monthly", "invoiceDayOfMonth": 1}}
    request = request_approval(
        organization.pk, "us", "ReviseTerms", justification="deal", proposal=terms, actor=make.REQUESTER
    )
    found = blockers(account)
    assert [(blocker.type, blocker.name) for blocker in found] == [
        ("BillingAccountBinding", "frontend-us"),
        ("Charge", "invoice-17"),
        ("Hold", str(hold.uid)),
        ("ApprovalRequest", request.name),
    ]
    assert all(blocker.fix and blocker.who for blocker in found)
    with refused(Invalid) as refusal:
        request_approval(organization.pk, "us", "Close", justification="bye", actor=make.REQUESTER)
    assert len(refusal.value.causes) == 4


def test_a_project_bound_after_the_request_keeps_the_account_open(
    organization: Organization, account: BillingAccount
) -> None:
    request = request_approval(organization.pk, "us", "Close", justification="bye", actor=make.REQUESTER)
    make.a_binding(make.a_project(organization), account)
    with refused(Invalid, "is bound to the account"):
        approve(request.pk, actor=make.APPROVER)


def test_a_hold_is_released_by_a_second_person(account: BillingAccount) -> None:
    hold = set_hold(account.pk, type="LegalHold", message="case 4", actor=OPERATOR)
    with refused(Invalid, "uid of an open hold"):
        request_approval(
            account.organization_id,
            "us",
            "ReleaseHold",
            justification="over",
            proposal={"hold": "x"},
            actor=make.REQUESTER,
        )
    make.an_approved(account, "ReleaseHold", proposal={"hold": str(hold.uid)})
    hold.refresh_from_db()
    assert (hold.released_by, hold.release_reason) == ("user:approver", "agreed with the customer")
    assert not Hold.objects.open().exists()


def test_a_hold_needs_a_type_a_reason_and_the_right(account: BillingAccount) -> None:
    with refused(Invalid):
        set_hold(account.pk, type="Whim", message="", actor=OPERATOR)
    with refused(Forbidden):
        set_hold(account.pk, type="Dispute", message="mine", actor=member(account.organization_id, "billing-admin"))


def test_listing_the_blockers_changes_nothing(account: BillingAccount) -> None:
    with nothing_changes():
        assert blockers(account) == []
