"""Any course of acts: after every step there is one payer at most, no gap, and history explains every row."""

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from django.db import transaction
from hypothesis import settings as profile
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from pytest_django import Settings

from billing.models import BillingAccount, BillingAccountBinding
from billing.models.binding import projects_paid_by
from billing.models.unbound_project import unbound_projects
from billing.services.accounts import AccountSpec, open_account, revise, validate
from billing.services.projects import archive_project
from billing.services.suspensions import SuspensionNotAllowed, suspend
from billing.tasks import announce_standing, validate_waiting_accounts
from billing.terms.payment_terms import PaymentTerms
from milo.errors import Invalid, Unavailable
from milo.kube.kinds import kind_of
from milo.kube.models import Change
from milo.kube.store.manifests import render
from projects.models import Organization, Project
from tests.support import make, verifiers
from tests.support.ledger import nothing_changes, refused

# docs/architecture.md, "Phases"
LEGAL = {
    BillingAccount: {
        ("Provisioning", "Incomplete"),
        ("Provisioning", "Ready"),
        ("Incomplete", "Ready"),
        ("Ready", "Suspended"),
    },
    BillingAccountBinding: {("Active", "Superseded"), ("Active", "Ended")},
    Project: {("Active", "Archived")},
    Organization: set(),
}
SPECS = st.builds(
    AccountSpec,
    display_name=st.sampled_from(["", "Acme"]),
    currency_code=st.sampled_from(["USD", "USD", "EUR", ""]),
    payment_terms=st.sampled_from([make.TERMS, make.TERMS, PaymentTerms(), PaymentTerms(60, "Annual", 28, 4)]),
    payment_profile=st.sampled_from([make.CARD, make.CARD, {"creditCard": {"cardReference": "cc-declined"}}, None]),
)

# which of the accounts or projects that there are
NTH = st.integers(0, 7)
COMPLETE = AccountSpec("Acme", "USD", make.TERMS, make.CARD)


def lacks(spec: AccountSpec) -> bool:
    return not spec.currency_code or bool(spec.payment_terms.missing()) or spec.payment_profile is None


def is_declined(spec: AccountSpec) -> bool:
    return spec.payment_profile is not None and spec.payment_profile != make.CARD


def without_standing(manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest of a project but for what a background task tells it of its payer."""
    conditions = [c for c in manifest["status"]["conditions"] if c["type"] != "PayerInGoodStanding"]
    return manifest | {"status": manifest["status"] | {"conditions": conditions}}


@dataclass(eq=False)
class Account:
    """What is known of an account: its row, the spec it was last given, the phase it must be in.

    It `waits` for its verifier; its projects are `untold` of a suspension until a task has announced it.
    """

    row: BillingAccount
    spec: AccountSpec
    phase: str = "Provisioning"
    waits: bool = False
    untold: bool = False

    @property
    def has_been_ready(self) -> bool:
        return self.phase in ("Ready", "Suspended")

    def validated(self) -> None:
        self.waits = verifiers.Switched.away and self.spec.payment_profile is not None
        if not self.waits:
            self.phase = "Incomplete" if lacks(self.spec) or is_declined(self.spec) else "Ready"


@dataclass(eq=False)
class Payee:
    """What is known of a project: its row, who has paid for it in turn, whether it is archived."""

    row: Project
    payers: list[Account] = field(default_factory=list)
    archived: bool = False

    @property
    def payer(self) -> Account | None:
        return self.payers[-1] if self.payers and not self.archived else None


class Ledger(RuleBasedStateMachine):
    """Two organizations, whose projects and accounts are bound, revised and archived in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.point = transaction.savepoint()
        verifiers.Switched.away = False
        self.home, self.abroad = make.an_organization(), make.an_organization()
        self.accounts: list[Account] = []
        self.projects: list[Payee] = []
        for organization in (self.home, self.home, self.abroad):
            self.open(organization, COMPLETE)
            self.projects.append(Payee(make.a_project(organization)))
        self.bind(0, 0)

    def teardown(self) -> None:
        transaction.savepoint_rollback(self.point)

    def account(self, number: int) -> Account:
        return self.accounts[number % len(self.accounts)]

    def project(self, number: int) -> Payee:
        return self.projects[number % len(self.projects)]

    def open(self, organization: Organization, spec: AccountSpec) -> None:
        row = open_account(organization.pk, make.a_name("account"), spec, actor=make.PLATFORM)
        self.accounts.append(Account(row, spec))
        self.accounts[-1].validated()

    @rule(spec=SPECS)
    def open_an_account(self, spec: AccountSpec) -> None:
        self.open(self.home, spec)

    @rule(number=NTH)
    def create_a_project(self, number: int) -> None:
        beside = self.project(number).row.organization
        self.projects.append(Payee(make.a_project(beside)))

    @rule(number=NTH, spec=SPECS)
    def revise(self, number: int, spec: AccountSpec) -> None:
        account = self.account(number)

        def act() -> None:
            revise(account.row.pk, spec, actor=make.PLATFORM)

        new_profile = spec.payment_profile != account.spec.payment_profile
        if spec == account.spec:
            with nothing_changes():
                act()
        elif account.has_been_ready:
            if lacks(spec) or spec.currency_code != account.spec.currency_code:
                with refused(Invalid):
                    act()
            elif new_profile and verifiers.Switched.away:
                with refused(Unavailable):
                    act()
            elif new_profile and is_declined(spec):
                with refused(Invalid):
                    act()
            else:
                act()
                account.spec = spec
        else:
            act()
            account.spec = spec
            account.validated()

    @rule(number=NTH)
    def validate(self, number: int) -> None:
        account = self.account(number)
        if account.has_been_ready:
            with refused(Invalid):
                validate(account.row.pk, actor=make.PLATFORM)
        else:
            validate(account.row.pk, actor=make.PLATFORM)
            account.validated()

    @rule(away=st.booleans())
    def verifier_comes_or_goes_and_the_tasks_run(self, away: bool) -> None:
        verifiers.Switched.away = away
        waiting = [account for account in self.accounts if account.waits]
        assert validate_waiting_accounts() == len(waiting)
        for account in waiting:
            account.validated()
        announce_standing()
        for account in self.accounts:
            account.untold = False
        with nothing_changes():
            assert announce_standing() == 0

    @rule(number=NTH)
    def suspend(self, number: int) -> None:
        account = self.account(number)

        def act() -> None:
            suspend(account.row.pk, reason_code="ManualReview", message="under review", actor=make.PLATFORM)

        if account.has_been_ready:
            act()
            account.phase, account.untold = "Suspended", True
        else:
            with refused(SuspensionNotAllowed):
                act()

    @rule(payee=NTH, payer=NTH)
    def bind(self, payee: int, payer: int) -> None:
        project, account = self.project(payee), self.account(payer)
        own = project.row.organization_id == account.row.organization_id
        if own and account.phase == "Ready" and not project.archived and project.payer is not account:
            make.a_binding(project.row, account.row)
            project.payers.append(account)
        else:
            with refused(Invalid):
                make.a_binding(project.row, account.row)

    @rule(payee=NTH, payers=st.lists(NTH, min_size=2, max_size=4))
    def bind_in_turn(self, payee: int, payers: list[int]) -> None:
        for payer in payers:
            self.bind(payee, payer)

    @rule(number=NTH)
    def archive(self, number: int) -> None:
        project = self.project(number)
        if project.archived:
            with nothing_changes():
                archive_project(project.row.pk, actor=make.PLATFORM)
        else:
            archive_project(project.row.pk, actor=make.PLATFORM)
            project.archived = True

    @invariant()
    def every_project_has_been_paid_for_without_a_gap(self) -> None:
        bindings = list(BillingAccountBinding.objects.order_by("pk"))
        for project in self.projects:
            timeline = [binding for binding in bindings if binding.project_id == project.row.pk]
            assert [binding.account_id for binding in timeline] == [payer.row.pk for payer in project.payers]
            for before, after in pairwise(timeline):
                assert (before.phase, before.ended_at) == ("Superseded", after.established_at)
                assert before.established_at < after.established_at
                assert after.supersedes_id == before.pk
            if timeline:
                assert timeline[-1].phase == ("Ended" if project.archived else "Active")

    @invariant()
    def both_ways_of_asking_who_pays_agree(self) -> None:
        payers = {project.row: project.payer.row for project in self.projects if project.payer}
        paying = BillingAccountBinding.objects.paying().select_related("project", "account")
        assert {binding.project: binding.account for binding in paying} == payers
        assert paying.count() == len(payers)
        for account in self.accounts:
            assert set(projects_paid_by(account.row)) == {p for p, payer in payers.items() if payer == account.row}
        unbound = {p.row for p in self.projects if not p.archived and p.payer is None}
        assert set(unbound_projects()) == unbound

    @invariant()
    def every_account_is_as_the_acts_have_made_it(self) -> None:
        rows = BillingAccount.objects.in_bulk()
        for account in self.accounts:
            row = rows[account.row.pk]
            assert (row.phase, AccountSpec.of(row)) == (account.phase, account.spec)
            assert bool(row.first_ready_at) == account.has_been_ready
        currencies = defaultdict(set)
        history: Any = BillingAccount.history
        for past in history.filter(first_ready_at__isnull=False):
            currencies[past.id].add(past.currency_code)
        assert all(len(codes) == 1 for codes in currencies.values())

    @invariant()
    def history_explains_every_row(self) -> None:
        for model, legal in LEGAL.items():
            rows: Any = model._base_manager.values()
            live = {row["id"]: row for row in rows}
            taken: dict[int, list[dict[str, Any]]] = defaultdict(list)
            for past in model.history.order_by("history_id").values():  # type: ignore[attr-defined]
                taken[past["id"]].append(past)
            assert taken.keys() == live.keys()
            for pk, steps in taken.items():
                assert live[pk].items() <= steps[-1].items()
                assert all(step["history_user_id"] and step["history_change_reason"] for step in steps)
                phases = [step["phase"] for step in steps]
                assert {pair for pair in pairwise(phases) if len(set(pair)) == 2} <= legal

    @invariant()
    def a_watcher_has_seen_every_row_as_it_is(self) -> None:
        newest: dict[Any, Any] = dict(Change.objects.order_by("resource_version").values_list("uid", "manifest"))
        untold = {project.row.uid for project in self.projects if project.payer and project.payer.untold}
        for kind in map(kind_of, LEGAL):
            assert kind
            for row in kind.queryset():
                seen = newest[row.uid]
                shown = render(kind, row, int(seen["metadata"]["resourceVersion"]))
                if row.uid in untold:
                    seen, shown = without_standing(seen), without_standing(shown)
                assert seen == shown


@pytest.mark.slow
@pytest.mark.django_db
def test_any_course_of_acts_leaves_a_ledger_that_is_whole(settings: Settings) -> None:
    settings.MILO_PAYMENT_PROFILE_VERIFIER = verifiers.SWITCHED
    loaded = profile.default
    assert loaded
    course = profile(max_examples=loaded.max_examples // 5, stateful_step_count=20)
    run_state_machine_as_test(Ledger, settings=course)
