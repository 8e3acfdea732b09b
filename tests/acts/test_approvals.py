"""Approval requests: asked for by one person, decided by another, for the account as it was reviewed."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from billing.models import ApprovalRequest, BillingAccount, Notice, Suspension
from billing.services.accounts import AccountSpec, revise
from billing.services.approvals.decisions import StaleReview, reject
from billing.services.approvals.requests import expire_overdue, renew, request_approval, withdraw
from billing.services.notices import outbox
from billing.services.suspensions import resolve, suspend
from billing.terms.payment_terms import PaymentTerms
from milo.access import Actor
from milo.errors import AlreadyExists, Conflict, Forbidden, Invalid
from projects.models import Organization
from tests.support import make
from tests.support.ledger import causes_of, member, nothing_changes, refused, staff, steps
from tests.support.make import approve

OPERATOR = Actor("user:operator", frozenset({"finance-operator"}))
REQUESTER, APPROVER = make.REQUESTER, make.APPROVER
LONG_TERMS = {"paymentTerms": {"netDays": 90, "invoiceFrequency": "Quarterly", "invoiceDayOfMonth": 15}}
pytestmark = pytest.mark.django_db


def ask(account: BillingAccount, act: str = "Close", actor: Actor = REQUESTER, **more: Any) -> ApprovalRequest:
    given = {"justification": "the contract has ended"} | more
    return request_approval(account.organization_id, account.name, act, actor=actor, **given)


def renamed(account: BillingAccount, actor: Actor) -> None:
    revise(account.pk, AccountSpec("Renamed", "USD", make.TERMS, make.CARD), actor=actor)


def resolved(account: BillingAccount) -> BillingAccount:
    suspend(account.pk, reason_code="ManualReview", message="under review", actor=OPERATOR)
    evidence = {"reviewer": "the desk", "note": "all is well"}
    return resolve(account.pk, Suspension.objects.open().get().uid, evidence=evidence, actor=OPERATOR)


def test_a_second_person_closes_an_account_by_approving(account: BillingAccount) -> None:
    request = ask(account)
    assert BillingAccount.objects.get(pk=account.pk).phase == "Ready"
    decided = approve(request.pk, comment="settled", actor=APPROVER)
    assert (decided.phase, decided.decider, decided.comment) == ("Approved", "user:approver", "settled")
    account = BillingAccount.objects.get(pk=account.pk)
    assert steps(account)[-1] == ("Closed", f"BillingAccountClosed: approved by request {request.name}")
    assert steps(decided) == [
        ("Pending", "ApprovalRequested: Close: the contract has ended"),
        ("Approved", "Approved: settled"),
    ]


def test_an_account_is_reactivated_once_every_suspension_is_resolved(account: BillingAccount) -> None:
    suspend(account.pk, reason_code="KycIncomplete", message="Papers are missing", actor=OPERATOR)
    with refused(Invalid, "is open; resolve it with its evidence first"):
        ask(account, "Reactivate")
    uid = Suspension.objects.get().uid
    resolve(account.pk, uid, evidence={"verificationCase": "case 9"}, actor=OPERATOR)
    approve(ask(account, "Reactivate").pk, actor=APPROVER)
    assert BillingAccount.objects.get(pk=account.pk).phase == "Ready"


def test_a_suspension_that_comes_between_keeps_the_account_suspended(account: BillingAccount) -> None:
    request = ask(resolved(account), "Reactivate")
    suspend(account.pk, reason_code="FraudSuspected", message="again", actor=OPERATOR)
    with refused(StaleReview, "has changed since it was reviewed"):
        approve(request.pk, actor=APPROVER)


def test_a_closed_account_is_reopened_to_the_phase_before(account: BillingAccount) -> None:
    suspend(account.pk, reason_code="ManualReview", message="under review", actor=OPERATOR)
    approve(ask(account).pk, actor=APPROVER)
    request = ask(account, "Reopen")
    with refused(Forbidden, "you changed the account since its last approval"):
        approve(request.pk, actor=APPROVER)
    approve(request.pk, actor=Actor("user:second-approver", APPROVER.roles))
    account.refresh_from_db()
    assert (account.phase, account.phase_reason, account.phase_message) == ("Suspended", "ManualReview", "under review")
    assert (account.closed_at, account.closed_from) == (None, "")


def test_an_account_is_not_reopened_after_the_window(account: BillingAccount, settings: Any) -> None:
    approve(ask(account).pk, actor=APPROVER)
    settings.MILO_REOPEN_WINDOW_DAYS = -1
    with refused(Invalid, "the time to reopen it ended"):
        ask(account, "Reopen")


def test_terms_beyond_the_limit_are_given_by_approval_only(account: BillingAccount) -> None:
    with refused(Invalid, "more than 60 needs an approved request to ReviseTerms"):
        revise(
            account.pk,
            AccountSpec("", "USD", PaymentTerms(90, "Monthly", 1), make.CARD),
            actor=member(account.organization_id, "billing-admin"),
        )
    approve(ask(account, "ReviseTerms", proposal=LONG_TERMS).pk, actor=APPROVER)
    account.refresh_from_db()
    assert (account.net_days, account.invoice_frequency, account.invoice_day_of_month) == (90, "Quarterly", 15)
    assert account.generation == 2


def test_an_account_opened_with_long_terms_is_ready_once_they_are_approved(organization: Organization) -> None:
    account = make.a_ready_account(organization, payment_terms=PaymentTerms(90, "Quarterly", 15))
    assert (account.phase, "ReviseTerms" in account.phase_message) == ("Incomplete", True)
    approve(ask(account, "ReviseTerms", proposal=LONG_TERMS).pk, actor=APPROVER)
    assert BillingAccount.objects.get(pk=account.pk).phase == "Ready"


@pytest.mark.parametrize(
    "proposal",
    [{}, {"paymentTerms": {"netDays": 90}}, {"paymentTerms": {**LONG_TERMS["paymentTerms"], "netDays": 400}}],
)
def test_terms_that_are_none_are_refused_when_they_are_asked_for(account: BillingAccount, proposal: Any) -> None:
    with refused(Invalid):
        ask(account, "ReviseTerms", proposal=proposal)


def test_the_requester_never_approves_superusers_included(account: BillingAccount) -> None:
    everything = Actor("user:root", frozenset({"finance-operator", "finance-approver", "platform-admin"}))
    request = ask(account, actor=everything)
    with refused(Forbidden, "a second person must approve it"):
        approve(request.pk, actor=everything)


def test_whoever_last_changed_the_account_never_approves(account: BillingAccount) -> None:
    editor = Actor("user:editor", frozenset({"finance-operator", "finance-approver"}))
    renamed(account, editor)
    request = ask(account)
    with refused(Forbidden, "you changed the account since its last approval"):
        approve(request.pk, actor=editor)
    assert approve(request.pk, actor=APPROVER).editors == "\nuser:editor\n"


def test_whoever_resolved_the_suspension_never_approves_the_reactivation(account: BillingAccount) -> None:
    resolver = Actor(OPERATOR.name, frozenset({"finance-operator", "finance-approver"}))
    request = ask(resolved(account), "Reactivate")
    with refused(Forbidden, "you changed the account since its last approval"):
        approve(request.pk, actor=resolver)


def test_the_database_keeps_four_eyes_when_the_service_is_bypassed(account: BillingAccount) -> None:
    request = ask(account)
    for decider in (request.requester, "user:heir", "user:last", "user:one", "user:two"):
        with nothing_changes(), pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "UPDATE billing_approvalrequest SET phase = 'Approved', decider = %s, decided_at = requested_at,"
                " taken_over_by = 'user:heir', last_editor = 'user:last', editors = %s WHERE id = %s",
                [decider, "\nuser:one\n\nuser:two\n", request.pk],
            )


def test_a_change_since_the_review_is_shown_and_the_requester_can_renew(account: BillingAccount) -> None:
    request = ask(account)
    renamed(account, OPERATOR)
    with refused(StaleReview) as refusal:
        approve(request.pk, actor=APPROVER)
    assert {"reviewed.displayName", "reviewed.generation"} == set(causes_of(refusal))
    with refused(Forbidden, "can renew this request"):
        renew(request.pk, actor=OPERATOR)
    renew(request.pk, actor=REQUESTER)
    assert approve(request.pk, actor=APPROVER).phase == "Approved"


def test_a_request_of_one_kind_waits_at_a_time(account: BillingAccount) -> None:
    first = ask(account)
    with refused(Invalid, "is pending already"):
        ask(account)
    withdraw(first.pk, comment="asked too early", actor=REQUESTER)
    assert ask(account).phase == "Pending"


def test_a_name_is_taken_once(account: BillingAccount) -> None:
    ask(account, name="close-us")
    with refused(AlreadyExists):
        ask(account, "ReviseTerms", name="close-us", proposal=LONG_TERMS)


def test_a_rejection_and_a_withdrawal_need_a_comment_and_stay(account: BillingAccount) -> None:
    request = ask(account)
    for no in (reject, withdraw):
        with refused(Invalid) as refusal:
            no(request.pk, comment=" ", actor=APPROVER if no is reject else REQUESTER)
        assert causes_of(refusal) == {"spec.comment": "FieldValueRequired"}
    reject(request.pk, comment="charges are open", actor=APPROVER)
    with refused(Conflict, "is Rejected already"):
        approve(request.pk, actor=APPROVER)
    with refused(Conflict, "is Rejected already"):
        withdraw(request.pk, comment="asked too early", actor=REQUESTER)


def test_nobody_withdraws_the_request_of_another(account: BillingAccount) -> None:
    request = ask(account)
    with refused(Forbidden, "only user:requester can withdraw"):
        withdraw(request.pk, comment="no", actor=OPERATOR)


def test_a_request_expires_when_nobody_decides(account: BillingAccount) -> None:
    request = ask(account)
    with nothing_changes():
        expire_overdue()
    ApprovalRequest.objects.filter(pk=request.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    with refused(Conflict, "has expired"):
        approve(request.pk, actor=APPROVER)
    expire_overdue()
    request.refresh_from_db()
    assert (request.phase, request.decider) == ("Expired", "system:approval-expiry")


def test_one_request_that_cannot_expire_keeps_no_other_waiting(
    account: BillingAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make.a_ready_account(account.organization, "de")
    requests = [ask(account), ask(other)]
    ApprovalRequest.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    queue = outbox.queue_decision

    def fail_first(request: ApprovalRequest) -> None:
        if request.pk == requests[0].pk:
            raise RuntimeError("of this one alone")
        queue(request)

    monkeypatch.setattr(outbox, "queue_decision", fail_first)
    assert expire_overdue() == 1
    for request, phase in zip(requests, ("Pending", "Expired"), strict=True):
        request.refresh_from_db()
        assert request.phase == phase


def test_who_may_not_ask_or_decide_is_refused(account: BillingAccount) -> None:
    pk = account.organization_id
    for actor in (member(pk, "billing-user"), member(pk, "billing-viewer"), staff("auditor"), APPROVER):
        with refused(Forbidden):
            ask(account, actor=actor)
    request = ask(account, actor=member(pk, "billing-admin"))
    for actor in (OPERATOR, staff("auditor"), Actor("user:other", organizations={pk: frozenset({"billing-admin"})})):
        with refused(Forbidden):
            approve(request.pk, actor=actor)
        with refused(Forbidden):
            reject(request.pk, comment="no", actor=actor)


def test_approvers_hear_of_a_request_and_requesters_of_the_decision(account: BillingAccount) -> None:
    make.a_person("approver", groups=("finance-approver",), email="approver@example.org")
    make.a_person("requester", groups=("finance-operator",), email="requester@example.org")
    approve(ask(account).pk, comment="settled", actor=APPROVER)
    told = Notice.objects.filter(about__in=["AwaitingDecision", "Decided"]).values_list("about", "recipient")
    assert set(told) == {("AwaitingDecision", "approver@example.org"), ("Decided", "requester@example.org")}
