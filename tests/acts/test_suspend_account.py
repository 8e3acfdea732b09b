"""Suspending an account, and resolving what it was suspended for."""

from datetime import date
from decimal import Decimal

import pytest

from billing.models import BillingAccount, Notice, Suspension
from billing.reason_codes import EVIDENCE, ReasonCode
from billing.services.accounts import AccountSpec, revise
from billing.services.charges import ChargeSpec, report_charge, settle_charge
from billing.services.suspensions import SuspensionNotAllowed, preview, resolve, suspend
from milo.access import Actor
from milo.errors import Forbidden, Invalid, NotFound
from projects.models import Organization, Project
from tests.support import make
from tests.support.ledger import causes_of, member, nothing_changes, refused, revisions, shown, staff, steps

OPERATOR = staff("finance-operator")
pytestmark = pytest.mark.django_db


@pytest.fixture
def bound_project(organization: Organization, invoiced_account: BillingAccount) -> Project:
    """A project with two contacts, for which the invoiced account pays."""
    project = make.a_project(organization, "frontend", contact_email_addresses=["a@example.org", "b@example.org"])
    make.a_binding(project, invoiced_account)
    return project


def past_due(account: BillingAccount, message: str = "Invoice 17 is unpaid", actor: Actor = OPERATOR) -> BillingAccount:
    return suspend(account.pk, reason_code="PaymentPastDue", message=message, internal_note="called twice", actor=actor)


def evidence_for(code: str, account: BillingAccount) -> dict[str, str]:
    given = dict.fromkeys(EVIDENCE[code].references, "reference 1")
    if "methodReference" in given:
        given["methodReference"] = (account.payment_profile or {})["creditCard"]["cardReference"]
    return given


def test_a_suspended_account_shows_why_and_keeps_its_bindings(
    invoiced_account: BillingAccount, bound_project: Project
) -> None:
    suspended = past_due(invoiced_account)
    assert steps(suspended)[-1] == ("Suspended", "BillingAccountSuspended: PaymentPastDue: Invoice 17 is unpaid")
    condition = shown(suspended)["status"]["conditions"][0]
    assert (condition["status"], condition["reason"]) == ("False", "PaymentPastDue")
    assert condition["message"] == "Invoice 17 is unpaid"
    assert suspended.bindings.paying().get().project == bound_project
    found = Suspension.objects.get()
    assert (found.suspended_by, found.internal_note) == ("user:staff", "called twice")
    assert "called twice" not in str(shown(suspended))


def test_a_suspended_account_accepts_no_new_project_and_lets_one_leave(
    organization: Organization, invoiced_account: BillingAccount, bound_project: Project
) -> None:
    past_due(invoiced_account)
    other = make.a_project(organization)
    with refused(Invalid, "is Suspended, not Ready"):
        make.a_binding(other, invoiced_account)
    assert make.a_binding(bound_project, make.a_ready_account(organization)).phase == "Active"


def test_everyone_concerned_is_owed_one_notice(
    organization: Organization, invoiced_account: BillingAccount, bound_project: Project
) -> None:
    make.a_person(roles={organization: "billing-admin"}, email="admin@example.org")
    make.a_person(roles={organization: "billing-viewer"}, email="viewer@example.org")
    past_due(invoiced_account)
    owed = Notice.objects.values_list("recipient", "project__name").order_by("recipient")
    assert list(owed) == [
        ("a@example.org", "frontend"),
        ("admin@example.org", None),
        ("b@example.org", "frontend"),
        ("invoices@example.org", None),
    ]


def test_an_address_that_a_project_names_twice_is_owed_one_notice(
    invoiced_account: BillingAccount, bound_project: Project
) -> None:
    # no service writes it
    Project.objects.filter(pk=bound_project.pk).update(contact_email_addresses=["a@example.org", "a@example.org"])
    past_due(invoiced_account)
    owed = Notice.objects.filter(project=bound_project)
    assert [notice.recipient for notice in owed] == ["a@example.org"]
    assert owed.get().uid.version == 8


def test_the_preview_tells_what_would_happen_and_changes_nothing(
    invoiced_account: BillingAccount, bound_project: Project
) -> None:
    with nothing_changes():
        told = preview(invoiced_account, reason_code="PaymentPastDue", message="Invoice 17 is unpaid", actor=OPERATOR)
    assert told["projects"] == ["frontend"]
    assert told["recipients"] == ["a@example.org", "b@example.org", "invoices@example.org"]
    past_due(invoiced_account)
    assert set(told["recipients"]) == set(Notice.objects.values_list("recipient", flat=True))
    assert "Invoice 17 is unpaid" in told["text"]
    assert "frontend" in told["text"]


def test_several_suspensions_stack_and_each_is_resolved_by_itself(account: BillingAccount) -> None:
    past_due(account)
    suspend(account.pk, reason_code="KycIncomplete", message="Papers are missing", actor=OPERATOR)
    first, second = Suspension.objects.order_by("pk")
    resolve(account.pk, second.uid, evidence={"verificationCase": "case 9"}, actor=OPERATOR)
    assert list(Suspension.objects.open()) == [first]
    assert BillingAccount.objects.get(pk=account.pk).phase == "Suspended"
    assert revisions(account)[-1].reason == "SuspensionResolved"


@pytest.mark.parametrize("code", [code for code in ReasonCode.values if code != "PaymentDeclinedHard"])
def test_each_reason_is_resolved_by_the_evidence_it_asks_for_and_by_no_less(account: BillingAccount, code: str) -> None:
    suspend(account.pk, reason_code=code, message="why", actor=OPERATOR)
    uid = Suspension.objects.get().uid
    with refused(Invalid) as refusal:
        resolve(account.pk, uid, evidence={}, actor=OPERATOR)
    for reference in EVIDENCE[code].references:
        assert f"spec.evidence.{reference}" in causes_of(refusal)
    with refused(Invalid, "is not asked for"):
        resolve(account.pk, uid, evidence={**evidence_for(code, account), "hearsay": "x"}, actor=OPERATOR)
    resolve(account.pk, uid, evidence=evidence_for(code, account), actor=OPERATOR)
    found = Suspension.objects.get()
    assert found.evidence == evidence_for(code, account)
    assert found.resolved_by == "user:staff"


def test_a_payment_declined_for_good_needs_another_method(account: BillingAccount) -> None:
    suspend(account.pk, reason_code="PaymentDeclinedHard", message="declined", actor=OPERATOR)
    uid = Suspension.objects.get().uid
    with refused(Invalid, "is the method that the account was suspended with"):
        resolve(account.pk, uid, evidence=evidence_for("PaymentDeclinedHard", account), actor=OPERATOR)
    other = {"creditCard": {"cardReference": "cc-67890"}}
    revise(account.pk, AccountSpec("", "USD", make.TERMS, other, account.invoice_email_addresses), actor=OPERATOR)
    resolve(account.pk, uid, evidence={"methodReference": "cc-67890"}, actor=OPERATOR)
    assert not Suspension.objects.open().exists()


def test_a_payment_past_due_is_not_resolved_while_charges_are_overdue(account: BillingAccount) -> None:
    reporter = staff("charge-reporter")
    charge = report_charge(
        account.organization_id,
        account.name,
        ChargeSpec("invoice-17", Decimal("10.00"), "USD", date(2026, 1, 31)),
        actor=reporter,
    )
    past_due(account)
    uid = Suspension.objects.get().uid
    with refused(Invalid, "charges of the account are overdue still"):
        resolve(account.pk, uid, evidence={"settlementReference": "wire 5"}, actor=OPERATOR)
    settle_charge(charge.pk, reference="wire 5", actor=reporter)
    resolve(account.pk, uid, evidence={"settlementReference": "wire 5"}, actor=OPERATOR)
    assert not Suspension.objects.open().exists()


@pytest.mark.parametrize("phase", ["Provisioning", "Incomplete", "Closed", "Archived"])
def test_only_a_ready_or_suspended_account_is_suspended(organization: Organization, phase: str) -> None:
    account = make.in_phase(make.a_ready_account(organization), phase)
    with refused(SuspensionNotAllowed, f"a {phase} account cannot be suspended"):
        past_due(account)


def test_an_unknown_reason_and_a_missing_message_are_refused_at_once(account: BillingAccount) -> None:
    with refused(Invalid) as refusal:
        suspend(account.pk, reason_code="Whim", message=" ", actor=OPERATOR)
    assert causes_of(refusal) == {"spec.reasonCode": "FieldValueNotSupported", "spec.message": "FieldValueRequired"}


def test_a_card_number_in_a_message_or_a_note_is_refused_where_it_stands(account: BillingAccount) -> None:
    card = "card 4111 1111 1111 1111 was declined"
    with refused(Invalid, "looks like a card number") as refusal:
        suspend(account.pk, reason_code="PaymentPastDue", message=card, internal_note=card, actor=OPERATOR)
    assert [cause.field for cause in refusal.value.causes] == ["spec.message", "spec.internalNote"]


def test_nobody_but_the_finance_operator_suspends_or_resolves(account: BillingAccount) -> None:
    past_due(account)
    uid = Suspension.objects.get().uid
    pk = account.organization_id
    for actor in (member(pk, "billing-admin"), staff("auditor", "finance-approver"), staff()):
        with refused(Forbidden):
            past_due(account, actor=actor)
        with refused(Forbidden):
            resolve(account.pk, uid, evidence={"settlementReference": "x"}, actor=actor)


def test_a_suspension_is_resolved_once_and_on_its_own_account_only(
    organization: Organization, account: BillingAccount
) -> None:
    past_due(account)
    uid = Suspension.objects.get().uid
    other = make.a_ready_account(organization)
    with refused(NotFound):
        resolve(other.pk, uid, evidence={"settlementReference": "x"}, actor=OPERATOR)
    resolve(account.pk, uid, evidence={"settlementReference": "x"}, actor=OPERATOR)
    with refused(NotFound):
        resolve(account.pk, uid, evidence={"settlementReference": "x"}, actor=OPERATOR)
