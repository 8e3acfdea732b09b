"""Any order of what changes a tree of accounts, and of a late worker, against a plain model with a clock.

Open, affiliate with and without an approval, plan, cancel, suspend, bind, report, close months, close, archive.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from unittest import mock

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.models import AccountPayer, BillingAccount, BillingAccountAffiliation, UsageRollup
from billing.models.affiliation import payer_of_record
from billing.models.usage_rollup import MONTH
from billing.services.affiliations import inspection
from billing.services.affiliations.cancellations import cancel
from billing.services.affiliations.facts import activate_due
from billing.services.affiliations.scopes import OWN, PAID, SCOPES, SUBTREE, of_scope
from billing.services.affiliations.specs import months_after
from billing.services.affiliations.trees import Tree
from billing.services.closed_months import close_month
from billing.services.past import payer_at
from billing.services.retention import archival
from billing.services.suspensions import suspend
from billing.services.usage.reports import TOTAL, UsageQuery
from milo.errors import Invalid
from projects.models import Project
from tests.support import make
from tests.support.affiliations import an_affiliation
from tests.support.usage import an_event, assert_rollup_is_a_recount, rollup, taken

pytestmark = pytest.mark.django_db
ACCOUNTS, PROJECTS, LEVELS, AHEAD = 5, 2, 4, 3
EXAMPLES: int = settings().max_examples
BEGINNING = datetime(2026, 5, 28, 23, 59, 59, tzinfo=UTC)
STEP = timedelta(microseconds=1)
NEVER = date.max.replace(day=1)
PAUSES = (timedelta(seconds=1), timedelta(days=9), timedelta(days=20), timedelta(days=40))
WEIGHTS = {
    "affiliate": 9, "work": 3, "report": 5, "close_month": 4, "bind": 2, "cancel": 1, "suspend": 0.5, "close": 0.5,
    "archive": 0.5,
}  # fmt: skip


def an_act(seed: int) -> tuple[timedelta, str, Any]:
    """Return a pause, and an act with its argument. Drawn evenly: strategies prefer what the rules refuse."""
    random = Random(seed)
    (name,) = random.choices(list(WEIGHTS), list(WEIGHTS.values()))
    account, project = random.randrange(ACCOUNTS), random.randrange(PROJECTS)
    # of some that the rules refuse, the first that they allow, if any
    affiliations = [_an_affiliation(random) for _ in range(random.choice([1, 4, 4]))]
    arguments = {
        "affiliate": affiliations,
        "report": (project, timedelta(days=random.uniform(0, 70))),
        "bind": (project, account),
    }
    return random.choice(PAUSES), name, arguments.get(name, account)


def _an_affiliation(random: Random) -> tuple[int, int | None, bool, int, bool]:
    """Return child, parent, whether that one pays, the number of months ahead, and whether it is approved."""
    child = random.randrange(ACCOUNTS)
    parent = random.choice([*(each for each in range(ACCOUNTS) if each != child), None])
    paid = parent is not None and random.random() < 0.7
    (after,) = random.choices(range(AHEAD + 1), [1, 6, 2, 1])
    # most affiliations of accounts that are used need an approval
    return child, parent, paid, after, random.random() < 0.85


ACTS = st.integers(0, 2**30).map(an_act)
Trees = dict[int, tuple[int | None, bool]]
"""The parent of each account that has a relation, and whether that one pays."""


@dataclass
class Fact:
    parent: int | None
    paid: bool
    start: date
    until: date = NEVER


@dataclass
class Plan:
    parent: int | None
    paid: bool
    start: date
    number: int
    approved: bool


def above(tree: Trees, account: int) -> list[int]:
    path: list[int] = []
    parent = tree.get(account, (None, False))[0]
    while parent is not None and parent not in path:
        path.append(parent)
        parent = tree.get(parent, (None, False))[0]
    return path


def payer(tree: Trees, account: int) -> int:
    seen = {account}
    parent, paid = tree.get(account, (None, False))
    while paid and parent is not None and parent not in seen:
        account = parent
        seen.add(account)
        parent, paid = tree.get(account, (None, False))
    return account


def subtree(tree: Trees, account: int) -> list[int]:
    return [each for each in range(ACCOUNTS) if each == account or account in above(tree, each)]


class Model:
    """What should be: relations, plans, phases and bindings of accounts by their numbers.

    The fourth account bills in EUR; the fifth has neither terms nor a payment profile.
    """

    def __init__(self) -> None:
        self.organization = make.an_organization()
        ready = [make.a_ready_account(self.organization, f"account-{number}") for number in range(ACCOUNTS - 2)]
        euro = make.a_ready_account(self.organization, "account-3", currency_code="EUR")
        self.accounts = [*ready, euro, make.an_incomplete_account(self.organization, "account-4")]
        self.numbers = {account.pk: number for number, account in enumerate(self.accounts)}
        self.projects = [make.a_project(self.organization) for _ in range(PROJECTS)]
        self.phases = ["Ready"] * (ACCOUNTS - 1) + ["Incomplete"]
        self.facts: list[list[Fact]] = [[] for _ in range(ACCOUNTS)]
        self.plans: dict[int, Plan] = {}
        self.made = 0
        self.used: set[int] = set()
        self.bound: dict[int, int] = {}
        self.opens: dict[int, date] = {}
        self.first = self.month()
        for child, parent, paid in ((1, 0, True), (2, 1, False), (4, 0, True)):
            self.affiliate([(child, parent, paid, 0, False)])
        for project in range(PROJECTS):
            self.bind((project, project + 1))

    def month(self, after: int = 0) -> date:
        return months_after(timezone.now().date().replace(day=1), after)

    def fact(self, account: int, month: date) -> Fact | None:
        return next((each for each in self.facts[account] if each.start <= month < each.until), None)

    def tree(self, month: date) -> Trees:
        facts = {number: self.fact(number, month) for number in range(ACCOUNTS)}
        return {number: (each.parent, each.paid) for number, each in facts.items() if each}

    def active(self, account: int) -> Fact | None:
        return next((each for each in self.facts[account] if each.until == NEVER), None)

    def forbidden(self, child: int, parent: int | None, paid: bool, month: date, approved: bool) -> bool:
        """Whether the relation cannot be a fact in its month, as things are now."""
        before = self.tree(month) | self.planned(month, child)
        after = before | {child: (parent, paid)}
        if self.phases[child] in ("Closed", "Archived") or (parent is not None and self.phases[parent] != "Ready"):
            return True
        if parent is not None and child in (parent, *above(before, parent)):
            return True
        if parent is not None and any(len(above(after, each)) >= LEVELS for each in subtree(after, child)):
            return True
        was, will = payer(before, child), payer(after, child)
        if will != child and (child == 3) != (will == 3):
            return True
        if was not in (child, will) and will == child and child == 4:
            return True
        if will not in (child, was) and self.phases[will] != "Ready":
            return True
        changed = [each for each in subtree(after, child) if payer(before, each) != payer(after, each)]
        return not approved and bool(self.used.intersection(changed))

    def plannable(self, proposal: tuple[int, int | None, bool, int, bool]) -> bool:
        child, parent, paid, after, approved = proposal
        return not self.unplannable(child, parent, paid, self.month(after), approved)

    def unplannable(self, child: int, parent: int | None, paid: bool, month: date, approved: bool) -> bool:
        active, present = self.active(child), self.month()
        below = subtree(self.tree(month) | self.planned(month, child) | {child: (parent, paid)}, child)
        if month == present and self.used.intersection(below):
            return True
        if active and active.start >= month:
            return True
        if parent is None and (active is None or active.parent is None):
            return True
        if active and (active.parent, active.paid) == (parent, paid):
            return True
        return self.forbidden(child, parent, paid, month, approved)

    def planned(self, month: date, besides: int) -> Trees:
        plans = ((number, plan) for number, plan in self.plans.items() if number != besides and plan.start <= month)
        return {number: (plan.parent, plan.paid) for number, plan in plans}

    def affiliate(self, proposals: list[tuple[int, int | None, bool, int, bool]]) -> None:
        child, parent, paid, after, approved = next(filter(self.plannable, proposals), proposals[0])
        month, pays = self.month(after), "Parent" if paid else "Self"
        self.settle()
        if self.unplannable(child, parent, paid, month, approved):
            with pytest.raises(Invalid):
                self._affiliate(child, parent, pays, after, approved)
            return
        self._affiliate(child, parent, pays, after, approved)
        self.made += 1
        plan = Plan(parent, paid, month, self.made, approved)
        self.plans.pop(child, None)
        if after:
            self.plans[child] = plan
        else:
            self.activate(child, plan)

    def _affiliate(self, child: int, parent: int | None, pays: str, after: int, approved: bool) -> None:
        row = None if parent is None else self.accounts[parent]
        if not approved:
            an_affiliation(self.accounts[child], row, payer=pays, after=after)
            return
        proposal: dict[str, Any] = {"payer": pays, "effectiveFrom": f"{self.month(after):%Y-%m}"}
        proposal |= {"parentRef": {"name": row.name}} if row else {}
        make.an_approved(self.accounts[child], "Affiliate", proposal=proposal)

    def activate(self, child: int, plan: Plan) -> None:
        if active := self.active(child):
            active.until = plan.start
        self.facts[child].append(Fact(plan.parent, plan.paid, plan.start))
        if self.phases[child] == "Incomplete" and payer(self.tree(NEVER - timedelta(days=40)), child) != child:
            self.phases[child] = "Ready"

    def settle(self) -> None:
        """Make facts of what is due, in the order of the months."""
        due = [(plan.start, plan.number, child) for child, plan in self.plans.items() if plan.start <= self.month()]
        for _start, _number, child in sorted(due):
            plan = self.plans.pop(child)
            if not self.forbidden(child, plan.parent, plan.paid, plan.start, plan.approved):
                self.activate(child, plan)

    def work(self, _account: int) -> None:
        activate_due()
        self.settle()

    def cancel(self, account: int) -> None:
        if self.plans.pop(account, None):
            plan = BillingAccountAffiliation.objects.scheduled().get(account=self.accounts[account])
            cancel(plan.pk, reason="put off", actor=make.PLATFORM)

    def present_payer(self, account: int) -> int:
        """The payer of record once all that is known to end has ended: that of locks and binds."""
        return payer(self.tree(NEVER - timedelta(days=40)), account)

    def bind(self, who: tuple[int, int]) -> None:
        project, account = who
        row = Project.objects.get(pk=self.projects[project].pk)
        ready = {self.phases[account], self.phases[self.present_payer(account)]} == {"Ready"}
        if not ready or self.bound.get(project) == account:
            with pytest.raises(Invalid):
                make.a_binding(row, self.accounts[account])
            return
        make.a_binding(row, self.accounts[account])
        self.bound[project] = account
        self.used.add(account)

    def report(self, what: tuple[int, timedelta]) -> None:
        project, age = what
        taken(an_event(self.projects[project], str(3**project), time=timezone.now() - age))

    def suspend(self, account: int) -> None:
        if self.phases[account] == "Ready":
            suspend(self.accounts[account].pk, reason_code="ManualReview", message="look", actor=make.PLATFORM)
            self.phases[account] = "Suspended"

    def close_month(self, account: int) -> None:
        """The payer of record closes a month, also of all that it pays for."""
        month = self.month() - timedelta(days=1)
        self.settle()
        pays = payer(self.tree(month.replace(day=1)), account)
        try:
            close_month(self.accounts[account].pk, month, reason="invoiced", actor=make.PLATFORM)
        except Invalid:
            if pays != account:
                self.close_month(pays)
            return
        assert pays == account
        for number in range(ACCOUNTS):
            if payer(self.tree(month.replace(day=1)), number) == account:
                self.opens[number] = self.month()

    def close(self, account: int) -> None:
        below = {number for number in range(ACCOUNTS) if (each := self.active(number)) and each.parent == account}
        below |= {number for number, plan in self.plans.items() if plan.parent == account}
        living = {number for number in below if self.phases[number] not in ("Closed", "Archived")}
        if account in self.bound.values() or living or self.phases[account] in ("Closed", "Archived"):
            return
        make.an_approved(self.accounts[account], "Close")
        self.phases[account] = "Closed"

    def archive(self, _account: int) -> None:
        for account in self.accounts:
            account.refresh_from_db()
        # those below first
        closed = [(account.closed_at, number) for number, account in enumerate(self.accounts) if account.closed_at]
        for _closed_at, number in sorted(closed):
            account = self.accounts[number]
            due = archival.archive_on(account)
            if due and due <= timezone.now().date():
                archival.archive(account.pk, actor=make.PLATFORM)
                self.phases[number] = "Archived"
                self.plans.pop(number, None)
                if active := self.active(number):
                    active.until = self.month(1)

    def check(self) -> None:
        """Compare the ledger with this model."""
        rows = {account.pk: account for account in BillingAccount.objects.filter(organization=self.organization)}
        spans = list(AccountPayer.objects.all())
        assert [rows[account.pk].phase for account in self.accounts] == self.phases
        for after in range(len(self.months())):
            month = months_after(self.first, after)
            tree = self.tree(month)
            for number, account in enumerate(self.accounts):
                found = [
                    each.payer_id
                    for each in spans
                    if each.account_id == account.pk and each.from_month <= month < (each.until_month or NEVER)
                ]
                assert len(found) <= 1
                assert self.numbers[found[0] if found else account.pk] == payer(tree, number)
                assert number not in above(tree, number)
                assert len(above(tree, number)) < LEVELS
        for number, account in enumerate(self.accounts):
            assert self.numbers[rows[account.pk].paid_by_id or account.pk] == self.present_payer(number)
        planned = BillingAccountAffiliation.objects.scheduled().values_list("account", "effective_from")
        assert dict(planned) == {self.accounts[number].pk: plan.start for number, plan in self.plans.items()}

    def months(self) -> list[date]:
        months = [self.first]
        while months[-1] < self.month(AHEAD):
            months.append(months_after(months[-1], 1))
        return months

    def check_sums(self) -> None:
        # what is derived equals a recount
        assert [*inspection.breaks()] == []
        assert_rollup_is_a_recount()
        sums = UsageRollup.objects.filter(granularity=MONTH).exclude(account=None)
        for month in sorted({each.starts_on for each in sums}):
            tree = self.tree(month)
            own = [
                sum(
                    (each.quantity for each in sums if (each.account_id, each.starts_on) == (account.pk, month)),
                    Decimal(0),
                )
                for account in self.accounts
            ]
            query = UsageQuery(month, months_after(month, 1), TOTAL)
            found = {
                scope: [
                    sum((line.quantity for line in of_scope(account, query, scope)), Decimal(0))
                    for account in self.accounts
                ]
                for scope in SCOPES
            }
            assert found[OWN] == own
            assert sum(found[PAID]) == sum(own)
            for number, account in enumerate(self.accounts):
                assert self.numbers[payer_of_record(account, month).pk] == payer(tree, number)
                assert found[PAID][number] == sum(own[each] for each in range(ACCOUNTS) if payer(tree, each) == number)
                children = [each for each in range(ACCOUNTS) if tree.get(each, (None,))[0] == number]
                assert found[SUBTREE][number] == own[number] + sum(found[SUBTREE][each] for each in children)

    def known(self, at: datetime) -> Iterator[tuple[Any, ...]]:
        """Yield who pays, and who is invoiced, in several months as the ledger knows it at `at`."""
        for after in (0, 1, AHEAD):
            tree = Tree.of(self.organization.pk, months_after(at.date().replace(day=1), after), known_at=at)
            yield tuple((tree.parent(account.pk), tree.payer(account.pk)) for account in self.accounts)
        for project in self.projects:
            paying = payer_at(project, at, at)
            yield (paying and paying.account.pk,)

    def closed_figures(self) -> dict[Any, Any]:
        """What was reported to a payer of record, and may not change, nor go to another one."""
        return {
            (payer(self.tree(key[4].replace(day=1)), self.numbers[key[0]]), *key): row
            for key, row in rollup().items()
            if key[0] and key[5] < self.opens.get(self.numbers[key[0]], date.min)
        }


# each example takes a second
@settings(max_examples=EXAMPLES // 3)
@given(st.lists(ACTS, min_size=8, max_size=16))
def test_the_tree_is_what_a_plain_model_says_whatever_happens_in_whichever_order(steps: list[Any]) -> None:
    point = transaction.savepoint()
    try:
        _run(steps)
    finally:
        transaction.savepoint_rollback(point)


def _run(steps: list[Any]) -> None:
    clock = [BEGINNING]
    with mock.patch.object(timezone, "now", side_effect=lambda: clock[0]):
        model = Model()
        answers: list[tuple[datetime, list[Any]]] = []
        closed: dict[Any, Any] = {}
        for pause, name, argument in steps:
            clock[0] += pause
            # what is written from now on has this instant at the earliest
            answers.append((clock[0] - STEP, list(model.known(clock[0] - STEP))))
            getattr(model, name)(argument)
            model.check()
            figures = model.closed_figures()
            assert closed.items() <= figures.items()
            closed = figures
        clock[0] += timedelta(days=40)
        model.work(0)
        model.check()
        model.check_sums()
        assert closed.items() <= model.closed_figures().items()
        for known_at, answer in answers:
            assert list(model.known(known_at)) == answer


@pytest.fixture(autouse=True)
def limits(settings: Any) -> None:
    settings.MILO_HIERARCHY_DEPTH = LEVELS
    settings.MILO_ARCHIVE_AFTER_DAYS = settings.MILO_REOPEN_WINDOW_DAYS = 0
    settings.STORAGES = {**settings.STORAGES, "archive": {"BACKEND": "tests.support.retention.Failing"}}
