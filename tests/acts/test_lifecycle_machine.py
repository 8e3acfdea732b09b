"""Random sequences of all acts by random actors: whatever is done, and in whatever order, the rules hold."""

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from unittest import mock
from uuid import UUID

import pytest
from django.core import mail
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from billing.models import ApprovalRequest, BillingAccount, BillingAccountBinding, Charge, Hold, Notice, Suspension
from billing.reason_codes import EVIDENCE
from billing.services.accounts import AccountSpec, open_account, revise
from billing.services.approvals.decisions import reject
from billing.services.approvals.requests import expire_overdue, renew, request_approval, withdraw
from billing.services.bindings import bind
from billing.services.charges import ChargeSpec, report_charge, settle_charge
from billing.services.holds import set_hold
from billing.services.notices.deliveries import announce_due, deliver_due, message_id
from billing.services.projects import archive_project
from billing.services.suspensions import resolve, suspend
from milo.errors import Refused
from projects.models import Project
from tests.support import make
from tests.support.make import approve

INVOICES = ["invoices@example.org"]
# one a category, each with evidence that anybody can give
CODES = ("CustomerRequest", "KycIncomplete", "MandateRevoked")
LONG_TERMS = {"netDays": 90, "invoiceFrequency": "Quarterly", "invoiceDayOfMonth": 15}
# what a person would ask for, as most other requests are refused
FITTING = {"Ready": "Close", "Suspended": "Reactivate", "Closed": "Reopen"}
NO: dict[str, Callable[..., Any]] = {"reject": reject, "withdraw": withdraw}
# docs/architecture.md, "Phases": the phases between which an approved request moves an account
EFFECTS = {
    "Close": {("Ready", "Closed"), ("Suspended", "Closed"), ("Incomplete", "Closed")},
    "Reactivate": {("Suspended", "Ready")},
    "Reopen": {("Closed", "Ready"), ("Closed", "Suspended"), ("Closed", "Incomplete")},
}
ROLES: dict[str, tuple[str, ...]] = {
    "operator": ("finance-operator",),
    "approver": ("finance-approver",),
    "second-approver": ("finance-approver",),
    "everything": ("finance-operator", "finance-approver", "auditor", "charge-reporter", "platform-admin"),
    "admin": (),
    "viewer": (),
}
MEMBERS = {"admin": "billing-admin", "everything": "billing-admin", "viewer": "billing-viewer"}

# whoever may act comes up more often than whoever may not
who = st.sampled_from(("operator", "everything", "admin", "operator", "everything", "approver", "viewer"))
decider = st.sampled_from(("approver", "second-approver", "everything", "approver", "operator"))
which = st.integers(0, 2)
step = st.sampled_from(("Fitting", "Fitting", "Fitting", "Suspend", "Hasty", "ReleaseHold", "ReviseTerms"))
asker = st.sampled_from(("operator", "everything", "operator"))
decision = st.sampled_from(("approve", "approve", "approve", "renew", "reject", "withdraw"))
text = st.sampled_from(("agreed", "agreed", "agreed", ""))


def email(name: str) -> str:
    return f"{name}@example.org"


class Lifecycle(RuleBasedStateMachine):
    """Two accounts and three projects of one organization, and six people of whom most may do little.

    It keeps on its own who pays for what, who changed an account since its review, and which notices are owed.
    """

    done: Counter[str] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.point = transaction.savepoint()
        mail.outbox.clear()
        self.organization = make.an_organization()
        self.people = {
            name: make.an_actor(
                name=name,
                groups=groups,
                roles={self.organization: MEMBERS[name]} if name in MEMBERS else {},
                email=email(name),
            )
            for name, groups in ROLES.items()
        }
        self.accounts = [self.an_opened_account() for _ in range(2)]
        self.projects = [self.a_project(number) for number in range(3)]
        self.payers: dict[int, int] = {}
        self.editors: dict[int, set[str]] = defaultdict(set)
        self.edits: Counter[int] = Counter()
        self.newest = timezone.now()
        self.reviewed: dict[int, int] = {}
        self.owed: Counter[tuple[str, UUID, UUID, str]] = Counter()

    def teardown(self) -> None:
        transaction.savepoint_rollback(self.point)

    def an_opened_account(self) -> BillingAccount:
        return make.a_ready_account(self.organization, invoice_email_addresses=INVOICES)

    def a_project(self, contacts: int) -> Project:
        addresses = [email(f"contact-{number}") for number in range(contacts)]
        return make.a_project(self.organization, contact_email_addresses=addresses)

    def act(self, name: str, do: Callable[[], Any]) -> Any:
        """What the act returned; None where it was refused."""
        try:
            result = do()
        except Refused:
            return None
        self.done[name] += 1
        return result

    def edited(self, account: int, person: str) -> None:
        self.editors[account].add(person)
        self.edits[account] += 1

    def owe(self, about: str, account: BillingAccount, cause: UUID, *addresses: str) -> None:
        self.owed.update((about, cause, account.uid, address) for address in set(addresses))

    def owe_everyone(self, about: str, account: BillingAccount, cause: UUID) -> None:
        self.owe(about, account, cause, *INVOICES, *self.admins())
        for project in self.projects:
            if self.payers.get(project.pk) == account.pk:
                self.owed.update((about, cause, project.uid, to) for to in project.contact_email_addresses)

    def admins(self) -> list[str]:
        return [email(name) for name, role in MEMBERS.items() if role == "billing-admin"]

    def owe_decision(self, request: ApprovalRequest) -> None:
        requester = email(request.requester.removeprefix("user:"))
        self.owe("Decided", request.account, request.uid, requester, *self.admins())

    def an_account(self, number: int) -> BillingAccount:
        newest = self.accounts[-3:]
        account = newest[number % len(newest)]
        account.refresh_from_db()
        return account

    def a_row(self, rows: Any, number: int) -> Any:
        """One of the rows there are, None where there are none."""
        found = list(rows.order_by("pk"))
        return found[number % len(found)] if found else None

    @rule(who=who, complete=st.booleans())
    def open(self, who: str, complete: bool) -> None:
        spec = AccountSpec("", "USD", make.TERMS, make.CARD if complete else None, list(INVOICES))
        name = make.a_name("account")
        if account := self.act("open", lambda: open_account(self.organization.pk, name, spec, actor=self.people[who])):
            self.accounts.append(account)
            self.edited(account.pk, self.people[who].name)

    @rule(who=who, account=which, title=st.sampled_from(("One", "Two", "Three")))
    def revise(self, who: str, account: int, title: str) -> None:
        payer = self.an_account(account)
        spec = AccountSpec(title, "USD", payer.payment_terms, make.CARD, list(INVOICES))
        if self.act("revise", lambda: revise(payer.pk, spec, actor=self.people[who])) and payer.display_name != title:
            self.edited(payer.pk, self.people[who].name)

    @rule(who=who, account=which, project=which)
    def bind(self, who: str, account: int, project: int) -> None:
        chosen, payer, name = self.projects[project], self.an_account(account), make.a_name("binding")
        if self.act(
            "bind",
            lambda: bind(self.organization.pk, name, chosen.name, payer.name, actor=self.people[who]),
        ):
            self.payers[chosen.pk] = payer.pk

    @rule(who=who, project=which)
    def archive_project(self, who: str, project: int) -> None:
        chosen = self.projects[project]
        if self.act("archive project", lambda: archive_project(chosen.pk, actor=self.people[who])):
            self.payers.pop(chosen.pk, None)
            self.projects[project] = self.a_project(project)

    @rule(who=who, account=which, code=st.sampled_from((*CODES, "NoSuchCode")))
    def suspend(self, who: str, account: int, code: str) -> None:
        self.suspend_one(self.an_account(account), who, code)

    def suspend_one(self, payer: BillingAccount, who: str, code: str) -> None:
        if self.act("suspend", lambda: suspend(payer.pk, reason_code=code, message="why", actor=self.people[who])):
            self.edited(payer.pk, self.people[who].name)
            self.owe_everyone("Suspended", payer, Suspension.objects.latest("pk").uid)

    @rule(who=who, suspension=which, complete=st.sampled_from((True, True, False)))
    def resolve(self, who: str, suspension: int, complete: bool) -> None:
        if chosen := self.a_row(Suspension.objects.open(), suspension):
            self.resolve_one(chosen, who, complete)

    def resolve_one(self, chosen: Suspension, who: str, complete: bool) -> None:
        evidence = dict.fromkeys(EVIDENCE[chosen.reason_code].references, "case 9") if complete else {}
        actor = self.people[who]
        if self.act("resolve", lambda: resolve(chosen.account_id, chosen.uid, evidence=evidence, actor=actor)):
            assert complete
            self.edited(chosen.account_id, actor.name)

    @rule(who=who, account=which, act=st.sampled_from((None, None, *ApprovalRequest.Action.values)), why=text)
    def ask(self, who: str, account: int, act: str | None, why: str) -> None:
        self.request(who, self.an_account(account), act, why)

    def request(self, who: str, payer: BillingAccount, act: str | None, why: str) -> ApprovalRequest | None:
        hold = Hold.objects.open().filter(account=payer).first()
        proposal = {"paymentTerms": LONG_TERMS, "hold": str(hold.uid) if hold else ""}
        asked: ApprovalRequest | None = self.act(
            "request",
            lambda: request_approval(
                self.organization.pk,
                payer.name,
                act or FITTING.get(payer.phase, "ReviseTerms"),
                justification=why,
                proposal=proposal,
                actor=self.people[who],
            ),
        )
        if asked:
            self.reviewed[asked.pk] = self.edits[payer.pk]
            approvers = [email(name) for name, groups in ROLES.items() if "finance-approver" in groups]
            self.owe("AwaitingDecision", payer, asked.uid, *approvers)
        return asked

    @initialize(who=asker, account=which, steps=st.lists(st.tuples(step, decision, decider), min_size=5, max_size=8))
    def begin_in_some_phase(self, who: str, account: int, steps: list[tuple[str, str, str]]) -> None:
        self.lead_through_phases(who, account, steps)

    @rule(who=asker, account=which, steps=st.lists(st.tuples(step, decision, decider), min_size=2, max_size=4))
    def lead_through_phases(self, who: str, account: int, steps: list[tuple[str, str, str]]) -> None:
        """Steps of one account that follow each other, as chance alone would hardly take them in this order."""
        for step, decision, decider in steps:
            payer = self.an_account(account)
            if step == "Suspend":
                self.suspend_one(payer, who, CODES[account])
            if step == "ReleaseHold":
                self.hold_one(payer, who, "Dispute")
            if step != "Hasty":
                for opened in Suspension.objects.open().filter(account=payer).order_by("pk"):
                    self.resolve_one(opened, who, True)
                for charge in Charge.objects.filter(account=payer).unsettled().order_by("pk"):
                    settle_charge(charge.pk, reference="paid", actor=self.people["everything"])
            payer.refresh_from_db()
            act = step if step in ApprovalRequest.Action.values else None
            if step == "Fitting" and Hold.objects.open().filter(account=payer).exists():
                act = "ReleaseHold"
            if asked := self.request(who, payer, act, "agreed"):
                self.lead_to_decision(asked, who, decision, decider)

    def lead_to_decision(self, asked: ApprovalRequest, who: str, decision: str, decider: str) -> None:
        if decision == "renew":
            self.renew_one(asked, who)
        if decision in NO:
            self.say_no(asked, decider, "not now", decision)
        if decision == "withdraw":
            asked.refresh_from_db()
            self.say_no(asked, who, "not now", decision)
        if decision not in NO:
            self.decide(asked, decider)

    @rule(who=decider, request=which)
    def approve(self, who: str, request: int) -> None:
        if chosen := self.a_row(ApprovalRequest.objects.pending(), request):
            self.decide(chosen, who)

    def decide(self, request: ApprovalRequest, who: str) -> None:
        account = BillingAccount.objects.get(pk=request.account_id)
        owing = Charge.objects.filter(account=account).unsettled().exists()
        held = Hold.objects.filter(account=account).open().exists()
        pays = account.pk in self.payers.values()
        open_reasons = Suspension.objects.open().filter(account=account).exists()
        actor = self.people[who]
        if not self.act(f"approve {request.act}", lambda: approve(request.pk, comment="agreed", actor=actor)):
            return
        assert actor.name not in {request.requester, *self.editors[account.pk]}
        self.editors[account.pk].clear()
        assert "finance-approver" in ROLES[who]
        assert self.reviewed[request.pk] == self.edits[account.pk]
        after = BillingAccount.objects.get(pk=account.pk)
        if request.act in EFFECTS:
            assert (account.phase, after.phase) in EFFECTS[request.act]
        else:
            assert (account.phase == after.phase) or account.phase == "Incomplete"
        if request.act == "Close":
            assert (owing, held, pays) == (False, False, False)
            self.owe("Closed", account, request.uid, *INVOICES, *self.admins())
        if request.act == "Reactivate":
            assert not open_reasons
            self.owe_everyone("Reactivated", account, request.uid)
        if request.act != "ReleaseHold":
            self.edited(account.pk, actor.name)
        self.owe_decision(request)

    @rule(who=who, request=which, why=text, how=st.sampled_from(tuple(NO)))
    def reject_or_withdraw(self, who: str, request: int, why: str, how: str) -> None:
        if chosen := self.a_row(ApprovalRequest.objects, request):
            self.say_no(chosen, who, why, how)

    def say_no(self, request: ApprovalRequest, who: str, why: str, how: str) -> None:
        if self.act(how, lambda: NO[how](request.pk, comment=why, actor=self.people[who])):
            assert why
            assert request.phase == ApprovalRequest.Phase.PENDING
            assert request.requester == self.people[who].name or how == "reject"
            self.owe_decision(request)

    @rule(who=who, request=which)
    def renew(self, who: str, request: int) -> None:
        if chosen := self.a_row(ApprovalRequest.objects, request):
            self.renew_one(chosen, who)

    def renew_one(self, request: ApprovalRequest, who: str) -> None:
        if self.act("renew", lambda: renew(request.pk, actor=self.people[who])):
            assert request.requester == self.people[who].name
            self.reviewed[request.pk] = self.edits[request.account_id]

    @rule()
    def expire(self) -> None:
        pending = list(ApprovalRequest.objects.pending().select_related("account"))
        # later than every request, and than every earlier step into the future: a clock that goes back is refused
        expiries = ApprovalRequest.objects.values_list("expires_at", flat=True)
        at = max(self.newest, *expiries, timezone.now()) + timedelta(seconds=1)
        self.newest = at
        with mock.patch.object(timezone, "now", return_value=at):
            assert expire_overdue() == len(pending)
        for request in pending:
            self.owe_decision(request)
        assert not ApprovalRequest.objects.pending().exists()

    @rule(who=who, account=which, amount=st.sampled_from(("10.00", "0", "1.234")))
    def report_charge(self, who: str, account: int, amount: str) -> None:
        spec = ChargeSpec(make.a_name("external"), Decimal(amount), "USD", date(2020, 1, 1))
        name = self.an_account(account).name
        self.act("report", lambda: report_charge(self.organization.pk, name, spec, actor=self.people[who]))

    @rule(who=who, charge=which, reference=st.sampled_from(("paid", "paid again")))
    def settle_charge(self, who: str, charge: int, reference: str) -> None:
        chosen = self.a_row(Charge.objects, charge)
        actor = self.people[who]
        if chosen and self.act("settle", lambda: settle_charge(chosen.pk, reference=reference, actor=actor)):
            assert chosen.settlement_reference in ("", reference)

    @rule(who=who, account=which, type=st.sampled_from(Hold.Type.values))
    def set_hold(self, who: str, account: int, type: str) -> None:
        self.hold_one(self.an_account(account), who, type)

    def hold_one(self, payer: BillingAccount, who: str, type: str) -> None:
        self.act("hold", lambda: set_hold(payer.pk, type=type, message="why", actor=self.people[who]))

    @rule()
    def run_the_tasks(self) -> None:
        due = Notice.objects.filter(phase=Notice.Phase.PENDING).count()
        assert deliver_due() == due
        announce_due()

    @invariant()
    def no_closed_account_pays_and_every_project_has_the_payer_it_was_given(self) -> None:
        paying = BillingAccountBinding.objects.filter(phase="Active")
        assert not paying.filter(account__phase__in=BillingAccount.READ_ONLY).exists()
        assert dict(paying.values_list("project_id", "account_id")) == self.payers

    @invariant()
    def no_ready_account_has_an_open_suspension(self) -> None:
        assert not Suspension.objects.open().filter(account__phase=BillingAccount.Phase.READY).exists()

    @invariant()
    def one_request_of_a_kind_is_pending(self) -> None:
        pending = Counter(ApprovalRequest.objects.pending().values_list("account_id", "act"))
        assert set(pending.values()) <= {1}

    @invariant()
    def no_notice_is_lost_or_doubled(self) -> None:
        notices = list(Notice.objects.all())
        assert Counter((row.about, row.cause_uid, row.subject_uid, row.recipient) for row in notices) == self.owed
        delivered = Counter(message_id(row) for row in notices if row.phase == Notice.Phase.DELIVERED)
        assert Counter(message.extra_headers["Message-ID"] for message in mail.outbox) == delivered


@pytest.mark.slow
@pytest.mark.django_db
def test_no_sequence_of_acts_breaks_a_rule() -> None:
    loaded = settings.default
    assert loaded
    # a course is long, so that to shrink one takes minutes; on PostgreSQL each takes twice as long as on SQLite
    course = settings(
        max_examples=loaded.max_examples // (6 if connection.vendor == "postgresql" else 3),
        stateful_step_count=40,
        phases=(Phase.explicit, Phase.generate),
    )
    Lifecycle.done.clear()
    run_state_machine_as_test(Lifecycle, settings=course)
    # a machine to which everything is refused would notice nothing
    assert {"approve Close", "approve Reactivate", "suspend", "bind"} <= set(Lifecycle.done)
