"""Any course of acts: after every step there is one payer at most, no gap, and history explains every row."""

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from django.db import transaction
from hypothesis import settings as profile
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from pytest_django import Settings

from billing.models import BillingAccount, BillingAccountBinding
from billing.models.binding import projects_paid_by, unbound_projects
from billing.payment_terms import PaymentTerms
from billing.services.accounts import AccountSpec, open_account, revise, validate
from billing.services.projects import archive_project
from billing.services.suspensions import SuspensionNotAllowed, suspend
from billing.tasks import validate_waiting_accounts
from milo.errors import Invalid, Unavailable
from milo.kube.kinds import kind_of
from milo.kube.manifests import render
from milo.kube.models import Change
from projects.models import Organization, Project
from tests import make, verifiers
from tests.ledger import nothing_changes, refused

# design.md, section 3
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
    payment_terms=st.sampled_from([make.TERMS, make.TERMS, PaymentTerms(), PaymentTerms(60, "Annual", 28)]),
    payment_profile=st.sampled_from([make.CARD, make.CARD, {"creditCard": {"cardReference": "cc-declined"}}, None]),
)

COMPLETE = AccountSpec("Acme", "USD", make.TERMS, make.CARD)


def lacks(spec: AccountSpec) -> bool:
    return not spec.currency_code or bool(spec.payment_terms.missing()) or spec.payment_profile is None


def is_declined(spec: AccountSpec) -> bool:
    return spec.payment_profile is not None and spec.payment_profile != make.CARD


@dataclass(eq=False)
class Account:
    """What is known of an account: its row, the spec it was last given, the phase it must be in."""

    row: BillingAccount
    spec: AccountSpec
    phase: str = "Provisioning"
    waits: bool = False

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

    accounts, projects = Bundle("accounts"), Bundle("projects")

    def __init__(self) -> None:
        super().__init__()
        self.point = transaction.savepoint()
        self.known_accounts: list[Account] = []
        self.known_projects: list[Payee] = []
        self.home, self.abroad = make.an_organization(), make.an_organization()
        verifiers.Switched.away = False

    def teardown(self) -> None:
        transaction.savepoint_rollback(self.point)

    @initialize(target=accounts)
    def accounts_to_begin_with(self) -> Any:
        return multiple(*(self.open(abroad, COMPLETE) for abroad in (False, False, True)))

    @initialize(target=projects)
    def projects_to_begin_with(self) -> Any:
        return multiple(*(self.create_project(abroad) for abroad in (False, False, True)))

    def create_project(self, abroad: bool) -> Payee:
        self.known_projects.append(Payee(make.a_project(self.abroad if abroad else self.home)))
        return self.known_projects[-1]

    def open(self, abroad: bool, spec: AccountSpec) -> Account:
        organization = self.abroad if abroad else self.home
        row = open_account(organization.pk, make.a_name("account"), spec, actor=make.PLATFORM)
        self.known_accounts.append(Account(row, spec))
        self.known_accounts[-1].validated()
        return self.known_accounts[-1]

    @rule(target=accounts, spec=SPECS)
    def open_an_account(self, spec: AccountSpec) -> Account:
        return self.open(False, spec)

    @rule(target=projects)
    def create_one_project(self) -> Payee:
        return self.create_project(False)

    @rule(account=accounts, spec=SPECS)
    def revise(self, account: Account, spec: AccountSpec) -> None:
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

    @rule(account=accounts)
    def validate(self, account: Account) -> None:
        if account.has_been_ready:
            with refused(Invalid):
                validate(account.row.pk, actor=make.PLATFORM)
        else:
            validate(account.row.pk, actor=make.PLATFORM)
            account.validated()

    @rule(away=st.booleans())
    def verifier_comes_or_goes_and_the_sweep_runs(self, away: bool) -> None:
        verifiers.Switched.away = away
        waiting = [account for account in self.known_accounts if account.waits]
        assert validate_waiting_accounts() == len(waiting)
        for account in waiting:
            account.validated()

    @rule(account=accounts)
    def suspend(self, account: Account) -> None:
        def act() -> None:
            suspend(account.row.pk, reason_code="ManualReview", message="under review", actor=make.PLATFORM)

        if account.has_been_ready:
            act()
            account.phase = "Suspended"
        else:
            with refused(SuspensionNotAllowed):
                act()

    @rule(project=projects, account=accounts)
    def bind(self, project: Payee, account: Account) -> None:
        own = project.row.organization_id == account.row.organization_id
        if own and account.phase == "Ready" and not project.archived and project.payer is not account:
            make.a_binding(project.row, account.row)
            project.payers.append(account)
        else:
            with refused(Invalid):
                make.a_binding(project.row, account.row)

    @rule(project=projects, account=accounts)
    def bind_again(self, project: Payee, account: Account) -> None:
        """Another chance for what matters most."""
        self.bind(project, account)

    @rule(project=projects)
    def archive(self, project: Payee) -> None:
        if project.archived:
            with nothing_changes():
                archive_project(project.row.pk, actor=make.PLATFORM)
        else:
            archive_project(project.row.pk, actor=make.PLATFORM)
            project.archived = True

    @invariant()
    def every_project_has_been_paid_for_without_a_gap(self) -> None:
        bindings = list(BillingAccountBinding.objects.order_by("pk"))
        for project in self.known_projects:
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
        payers = {project.row: project.payer.row for project in self.known_projects if project.payer}
        paying = BillingAccountBinding.objects.paying().select_related("project", "account")
        assert {binding.project: binding.account for binding in paying} == payers
        assert paying.count() == len(payers)
        for account in self.known_accounts:
            assert set(projects_paid_by(account.row)) == {p for p, payer in payers.items() if payer == account.row}
        unbound = {p.row for p in self.known_projects if not p.archived and p.payer is None}
        assert set(unbound_projects()) == unbound

    @invariant()
    def every_account_is_as_the_acts_have_made_it(self) -> None:
        rows = BillingAccount.objects.in_bulk()
        for account in self.known_accounts:
            row = rows[account.row.pk]
            assert (row.phase, AccountSpec.of(row)) == (account.phase, account.spec)
            assert bool(row.first_ready_at) == account.has_been_ready
        currencies = defaultdict(set)
        history: Any = BillingAccount.history
        for past in history.filter(first_ready_at__isnull=False):
            currencies[past.id].add(past.currency_code)
        assert all(len(codes) == 1 for codes in currencies.values())

    @invariant()
    def history_and_the_change_log_explain_every_row(self) -> None:
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
            self.watchers_see_every_row_of(model)

    def watchers_see_every_row_of(self, model: type[Any]) -> None:
        kind = kind_of(model)
        assert kind is not None
        newest = {change.uid: change.manifest for change in Change.objects.order_by("resource_version")}
        for row in kind.queryset():
            assert newest[row.uid] == render(kind, row, int(newest[row.uid]["metadata"]["resourceVersion"]))


@pytest.mark.django_db
def test_any_course_of_acts_leaves_a_ledger_that_is_whole(settings: Settings) -> None:
    settings.MILO_PAYMENT_PROFILE_VERIFIER = verifiers.SWITCHED
    loaded = profile.default
    assert loaded
    course = profile(max_examples=loaded.max_examples // 4, stateful_step_count=25)
    run_state_machine_as_test(Ledger, settings=course)
