"""Random sequences of all acts by random actors: whatever is done, and in whatever order, the rules hold."""

from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from unittest import mock

import pytest
from django.db.models import F
from django.test import TestCase
from django.utils import timezone
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from billing.models import ApprovalRequest, BillingAccount, BillingAccountBinding, Charge, Hold, Notice, Suspension
from billing.reason_codes import EVIDENCE
from billing.services.accounts import AccountSpec, open_account, revise
from billing.services.approvals import approve, expire_overdue, reject, renew, request_approval, withdraw
from billing.services.bindings import bind
from billing.services.charges import ChargeSpec, report_charge, settle_charge
from billing.services.deliveries import announce_owed, deliver_due
from billing.services.holds import set_hold
from billing.services.projects import archive_project
from billing.services.suspensions import resolve, suspend
from milo.access import Actor
from milo.errors import Refused
from projects.models import Project
from tests import make
from tests.ledger import everything

CONTACTS = ["a@example.org", "b@example.org"]
INVOICES = ["invoices@example.org"]
# one a category, each with evidence that anybody can give
CODES = ("CustomerRequest", "KycIncomplete", "MandateRevoked")
LONG_TERMS = {"paymentTerms": {"netDays": 90, "invoiceFrequency": "Quarterly", "invoiceDayOfMonth": 15}}
# what a person would ask for, as most other requests are refused
FITTING = {"Ready": "Close", "Suspended": "Reactivate", "Closed": "Reopen"}

# whoever may act comes up more often than whoever may not
who = st.sampled_from((0, 5, 3, 0, 5, 3, 0, 1, 4))
decider = st.sampled_from((1, 2, 5, 1, 2, 0))
which = st.integers(0, 2)
text = st.sampled_from(("agreed", "agreed", "agreed", ""))


class LifecycleMachine(RuleBasedStateMachine):
    """Two accounts and three projects of one organization, and six people of whom most may do little."""

    def __init__(self) -> None:
        super().__init__()
        # each sequence begins on the same rows; Django's own, as acts are durable outside of its test cases
        self.transaction = TestCase._enter_atomics()  # type: ignore[attr-defined]

    def teardown(self) -> None:
        TestCase._rollback_atomics(self.transaction)  # type: ignore[attr-defined]

    @initialize()
    def found(self) -> None:
        self.organization = make.an_organization()
        member = {
            role: {self.organization.pk: frozenset({role})} for role in ("billing-admin", "billing-user", "viewer")
        }
        self.people = (
            Actor("user:operator", frozenset({"finance-operator"})),
            Actor("user:approver", frozenset({"finance-approver"})),
            Actor("user:second-approver", frozenset({"finance-approver"})),
            Actor("user:billing-admin", organizations=member["billing-admin"]),
            Actor("user:viewer", organizations=member["viewer"]),
            Actor(
                "user:everything",
                frozenset({"finance-operator", "finance-approver", "auditor", "charge-reporter", "platform-admin"}),
                member["billing-admin"],
            ),
        )
        self.numbers = Counter[str]()
        self.owed: Counter[tuple[Any, ...]] = Counter()
        self.accounts = [
            make.a_ready_account(self.organization, f"account-{number}", invoice_email_addresses=INVOICES)
            for number in range(2)
        ]
        self.projects = [
            make.a_project(self.organization, f"project-{number}", contact_email_addresses=CONTACTS[: number + 1])
            for number in range(2)
        ]

    def act(self, do: Callable[[], object]) -> bool:
        """Whether the act was done; one that is refused has changed nothing."""
        before = everything()
        try:
            do()
        except Refused:
            assert everything() == before
            return False
        return True

    def a_name(self, stem: str) -> str:
        self.numbers[stem] += 1
        return f"{stem}-{self.numbers[stem]}"

    def an_account(self, number: int) -> BillingAccount:
        return self.accounts[number % len(self.accounts)]

    def a_row(self, rows: Any, number: int) -> Any:
        """One of the rows there are, None where there are none."""
        found = list(rows.order_by("pk"))
        return found[number % len(found)] if found else None

    @rule(who=who, complete=st.booleans())
    def open(self, who: int, complete: bool) -> None:
        spec = AccountSpec("", "USD", make.TERMS, make.CARD if complete else None, list(INVOICES))
        name = self.a_name("opened")
        if self.act(lambda: open_account(self.organization.pk, name, spec, actor=self.people[who])):
            self.accounts.append(BillingAccount.objects.get(name=name))

    @rule(who=who, account=which, title=st.sampled_from(("", "One", "Two")))
    def revise(self, who: int, account: int, title: str) -> None:
        spec = AccountSpec(title, "USD", make.TERMS, make.CARD, list(INVOICES))
        self.act(lambda: revise(self.an_account(account).pk, spec, actor=self.people[who]))

    @rule(who=who, account=which, project=which)
    def bind(self, who: int, account: int, project: int) -> None:
        names = self.projects[project % len(self.projects)].name, self.an_account(account).name
        self.act(lambda: bind(self.organization.pk, self.a_name("binding"), *names, actor=self.people[who]))

    @rule(who=who, project=which)
    def archive_project(self, who: int, project: int) -> None:
        chosen = self.projects[project % len(self.projects)]
        if self.act(lambda: archive_project(chosen.pk, actor=self.people[who])) and chosen.name.startswith("project"):
            name = self.a_name("another")
            self.projects.append(make.a_project(self.organization, name, contact_email_addresses=CONTACTS[:1]))

    @rule(who=who, account=which, code=st.sampled_from((*CODES, "NoSuchCode")))
    def suspend(self, who: int, account: int, code: str) -> None:
        payer = self.an_account(account)
        bound = Project.objects.filter(bindings__account=payer, bindings__phase="Active")
        expected = Counter((project.uid, address) for project in bound for address in project.contact_email_addresses)
        expected.update((payer.uid, address) for address in INVOICES)
        known = set(Suspension.objects.values_list("uid", flat=True))
        if self.act(lambda: suspend(payer.pk, reason_code=code, message="why", actor=self.people[who])):
            uid = Suspension.objects.exclude(uid__in=known).get().uid
            self.owed.update({(uid, *subject): count for subject, count in expected.items()})

    @rule(who=who, suspension=which, complete=st.sampled_from((True, True, True, False)))
    def resolve(self, who: int, suspension: int, complete: bool) -> None:
        if chosen := self.a_row(Suspension.objects.open(), suspension):
            evidence = dict.fromkeys(EVIDENCE[chosen.reason_code].references, "case 9") if complete else {}
            self.act(lambda: resolve(chosen.account_id, chosen.uid, evidence=evidence, actor=self.people[who]))

    @rule(
        who=who,
        account=which,
        act=st.sampled_from(ApprovalRequest.Act.values),
        fitting=st.booleans(),
        why=text,
        hold=which,
    )
    def ask(self, who: int, account: int, act: str, fitting: bool, why: str, hold: int) -> None:
        self.request(who, account, act, fitting, why, hold)

    def request(self, who: int, account: int, act: str, fitting: bool, why: str, hold: int) -> bool:
        proposal: dict[str, Any] = dict(LONG_TERMS)
        payer = self.an_account(account)
        if fitting:
            payer.refresh_from_db()
            act = FITTING.get(payer.phase, act)
        if chosen := self.a_row(Hold.objects.filter(account=payer), hold):
            proposal = {**proposal, "hold": str(chosen.uid)}
        return self.act(
            lambda: request_approval(
                self.organization.pk,
                payer.name,
                act,
                justification=why,
                proposal=proposal,
                name=self.a_name("request"),
                actor=self.people[who],
            )
        )

    @rule(who=who, decider=decider, account=which)
    def settle_and_decide(self, who: int, decider: int, account: int) -> None:
        """What leads from one phase to the next: suspensions resolved, then the fitting request, and its decision."""
        payer = self.an_account(account)
        for opened in Suspension.objects.open().filter(account=payer).order_by("pk"):
            self.resolve_one(opened, who)
        if self.request(who, account, ApprovalRequest.Act.CLOSE, True, "agreed", 0):
            asked = ApprovalRequest.objects.pending().latest("pk")
            self.act(lambda: approve(asked.pk, comment="agreed", actor=self.people[decider]))

    @rule(who=decider, request=which)
    def approve(self, who: int, request: int) -> None:
        if chosen := self.a_row(ApprovalRequest.objects.pending(), request):
            self.act(lambda: approve(chosen.pk, comment="agreed", actor=self.people[who]))

    @rule(who=who, request=which, why=text, decide=st.sampled_from((reject, withdraw)))
    def reject_or_withdraw(self, who: int, request: int, why: str, decide: Callable[..., object]) -> None:
        if chosen := self.a_row(ApprovalRequest.objects, request):
            self.act(lambda: decide(chosen.pk, comment=why, actor=self.people[who]))

    @rule(who=who, request=which)
    def renew(self, who: int, request: int) -> None:
        if chosen := self.a_row(ApprovalRequest.objects, request):
            self.act(lambda: renew(chosen.pk, actor=self.people[who]))

    @rule()
    def expire(self) -> None:
        with mock.patch.object(timezone, "now", return_value=timezone.now() + timedelta(days=15)):
            expire_overdue()
        assert not ApprovalRequest.objects.pending().exists()

    @rule(who=who, account=which, amount=st.sampled_from(("10.00", "0", "1.234")))
    def report_charge(self, who: int, account: int, amount: str) -> None:
        spec = ChargeSpec(self.a_name("external"), Decimal(amount), "USD", date(2020, 1, 1))
        name = self.an_account(account).name
        self.act(lambda: report_charge(self.organization.pk, name, spec, actor=self.people[who]))

    @rule(who=who, charge=which, reference=st.sampled_from(("paid", "paid again")))
    def settle_charge(self, who: int, charge: int, reference: str) -> None:
        if chosen := self.a_row(Charge.objects, charge):
            self.act(lambda: settle_charge(chosen.pk, reference=reference, actor=self.people[who]))

    @rule(who=who, account=which, type=st.sampled_from(Hold.Type.values))
    def set_hold(self, who: int, account: int, type: str) -> None:
        self.act(lambda: set_hold(self.an_account(account).pk, type=type, reason="why", actor=self.people[who]))

    @rule()
    def deliver(self) -> None:
        due = Notice.objects.filter(phase="Pending").count()
        assert deliver_due() == due

    @rule()
    def announce(self) -> None:
        announce_owed()

    @invariant()
    def no_closed_account_pays(self) -> None:
        paying = BillingAccountBinding.objects.filter(phase="Active")
        assert not paying.filter(account__phase__in=BillingAccount.READ_ONLY).exists()

    @invariant()
    def no_ready_account_has_an_open_suspension(self) -> None:
        assert not Suspension.objects.open().filter(account__phase=BillingAccount.Phase.READY).exists()

    @invariant()
    def nobody_approves_what_they_asked_for_or_last_changed(self) -> None:
        approved = ApprovalRequest.objects.filter(phase=ApprovalRequest.Phase.APPROVED)
        assert not approved.filter(decider=F("requester")).exists()
        assert not approved.filter(decider=F("last_editor")).exists()

    @invariant()
    def one_request_of_a_kind_is_pending(self) -> None:
        pending = Counter(ApprovalRequest.objects.pending().values_list("account_id", "act"))
        assert set(pending.values()) <= {1}

    @invariant()
    def each_suspension_owes_each_recipient_one_notice(self) -> None:
        notices = Notice.objects.filter(about=Notice.About.SUSPENDED)
        assert Counter(notices.values_list("cause_uid", "subject_uid", "recipient")) == self.owed


@pytest.mark.django_db
def test_no_sequence_of_acts_breaks_a_rule() -> None:
    run_state_machine_as_test(LifecycleMachine, settings=settings(max_examples=8, stateful_step_count=30))
