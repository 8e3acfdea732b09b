"""Any order of what changes who pays, and of a late worker, against a model with a clock.

Plans, cancellations, binds, archiving, suspensions, closed months, corrections of the past.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from unittest import mock

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.models import BillingAccount, BillingAccountBinding, PayerChange, PayerChangeItem, UsageRollup
from billing.services.closed_months import close_month
from billing.services.past import payer_at
from billing.services.payer_changes.cancellations import cancel
from billing.services.payer_changes.facts import move_due
from billing.services.payer_changes.retries import retry
from billing.services.projects import archive_project
from billing.services.suspensions import suspend
from billing.services.usage.intake import report
from milo.errors import Invalid
from projects.models import Project
from tests.support import make
from tests.support.ledger import assert_timeline
from tests.support.payer_changes import a_payer_change
from tests.support.usage import REPORTER, an_event, assert_rollup_is_a_recount, rollup
from tests.usage.test_usage_properties import figures_of_closed_months

pytestmark = pytest.mark.django_db
PROJECTS, ACCOUNTS = 3, 3
BEGINNING = datetime(2026, 5, 28, 23, 59, 59, tzinfo=UTC)
STEP = timedelta(microseconds=1)
PAUSES = st.one_of(
    st.timedeltas(timedelta(seconds=1), timedelta(minutes=2)),
    st.timedeltas(timedelta(hours=6), timedelta(days=20)),
)
DELAYS = st.one_of(st.none(), st.timedeltas(timedelta(seconds=1), timedelta(days=10)))
AGES = st.timedeltas(timedelta(seconds=1), timedelta(days=40))
PROJECT, ACCOUNT = st.integers(0, PROJECTS - 1), st.integers(0, ACCOUNTS - 1)
ACTS = st.one_of(
    st.tuples(st.just("plan"), st.tuples(st.sets(PROJECT, min_size=1), ACCOUNT, DELAYS, st.booleans())),
    st.tuples(st.just("plan"), st.tuples(st.sets(PROJECT, min_size=1), ACCOUNT, DELAYS, st.booleans())),
    st.tuples(st.just("work"), st.none()),
    st.tuples(st.just("report"), st.tuples(PROJECT, st.integers(0, 500_000), st.integers(1, 99))),
    st.tuples(st.just("bind"), st.tuples(PROJECT, ACCOUNT)),
    st.tuples(st.just("archive"), st.just(0)),
    st.tuples(st.just("cancel"), st.none()),
    st.tuples(st.just("retry"), st.none()),
    st.tuples(st.just("toggle"), ACCOUNT),
    st.tuples(st.just("close"), ACCOUNT),
    st.tuples(st.just("suspend"), ACCOUNT),
    st.tuples(st.just("correct"), st.tuples(PROJECT, ACCOUNT, AGES, st.one_of(st.none(), AGES))),
    st.tuples(st.just("correct"), st.tuples(PROJECT, ACCOUNT, AGES, st.one_of(st.none(), AGES))),
)
Correction = tuple[datetime, datetime, int]
Interval = tuple[datetime | None, int]


class Model:
    """What should be: the payers of each project since when (None: whenever the bind was), and what is open."""

    def __init__(self) -> None:
        organization = make.an_organization()
        self.projects = [make.a_project(organization) for _ in range(PROJECTS)]
        self.accounts = [make.a_ready_account(organization) for _ in range(ACCOUNTS)]
        self.ready = [True] * ACCOUNTS
        self.suspended: set[int] = set()
        self.corrections: list[list[Correction]] = [[] for _ in range(PROJECTS)]
        self.payers: list[list[Interval]] = [[] for _ in range(PROJECTS)]
        self.open: dict[int, tuple[int, datetime, int]] = {}
        self.atomic: set[int] = set()
        self.archived: set[int] = set()
        self.failed: dict[int, set[int]] = {}
        self.quantity = Decimal(0)
        for number in range(PROJECTS - 1):
            self.bind((number, 0))

    def present(self, project: int) -> int | None:
        return self.payers[project][-1][1] if self.payers[project] else None

    def settle(self, wanted: Callable[[int], bool]) -> None:
        """Make facts of what is due of the projects that are `wanted`, and of what moves with them."""
        now = timezone.now()
        due = {project for project, (_change, at, _account) in self.open.items() if at <= now}
        chosen = {project for project in due if wanted(project)}
        together = {self.open[project][0] for project in chosen} & self.atomic
        chosen |= {project for project in due if self.open[project][0] in together}
        for project in chosen:
            change, at, account = self.open.pop(project)
            if self.ready[account]:
                self.payers[project].append((at, account))
            else:
                self.failed.setdefault(change, set()).add(project)

    def plan(self, what: tuple[set[int], int, timedelta | None, bool]) -> None:
        numbers, account, delay, atomic = what
        self.settle(lambda project: project in numbers)
        at = timezone.now() + delay if delay else None
        bad = {each for each in numbers if each in self.archived | self.open.keys() or self.present(each) == account}
        allowed = self.ready[account] or at
        outcomes = at is None and not atomic and len(bad) < len(numbers)
        arguments: dict[str, Any] = {"effective_at": at, "atomic": atomic}
        rows = [self.projects[number] for number in sorted(numbers)]
        if not allowed or (bad and not outcomes):
            with pytest.raises(Invalid):
                a_payer_change(self.accounts[account], *rows, **arguments)
            # what came due first is undone with the refusal, and done later
            move_due()
            self.settle(lambda project: True)
            return
        change = a_payer_change(self.accounts[account], *rows, **arguments)
        if atomic:
            self.atomic.add(change.pk)
        for number in numbers - bad:
            self.open[number] = (change.pk, change.effective_at, account)
        if bad:
            self.failed[change.pk] = set(bad)

    def work(self, _nothing: None) -> None:
        move_due()
        self.settle(lambda project: True)

    def report(self, what: tuple[int, int, int]) -> None:
        project, age, quantity = what
        event = an_event(self.projects[project], str(quantity), time=timezone.now() - timedelta(seconds=age))
        assert report([event], actor=REPORTER).accepted == 1
        self.quantity += quantity

    def bind(self, who: tuple[int, int]) -> None:
        project, account = who
        self.settle(lambda each: each == project)
        row = Project.objects.get(pk=self.projects[project].pk)
        refusal = project in self.archived or project in self.open or self.present(project) == account
        if refusal or not self.ready[account]:
            with pytest.raises(Invalid):
                make.a_binding(row, self.accounts[account])
            move_due()
            self.settle(lambda each: True)
            return
        make.a_binding(row, self.accounts[account])
        self.payers[project].append((None, account))

    def archive(self, project: int) -> None:
        if project not in self.archived:
            self.settle(lambda each: each == project)
            self.open.pop(project, None)
            self.archived.add(project)
        archive_project(self.projects[project].pk, actor=make.PLATFORM)

    def cancel(self, _nothing: None) -> None:
        if change := PayerChange.objects.open().order_by("pk").first():
            cancel(change.pk, reason="put off", actor=make.PLATFORM)
            self.open = {number: each for number, each in self.open.items() if each[0] != change.pk}

    def retry(self, _nothing: None) -> None:
        retriable = PayerChange.objects.filter(phase__in=PayerChange.RETRIABLE).order_by("pk").first()
        if retriable is None:
            return
        failed = self.failed[retriable.pk]
        self.settle(lambda project: project in failed)
        if failed & self.open.keys():
            with pytest.raises(Invalid):
                retry(retriable.pk, reason="again", actor=make.PLATFORM)
            move_due()
            self.settle(lambda project: True)
            return
        retry(retriable.pk, reason="again", actor=make.PLATFORM)
        account = next(number for number, each in enumerate(self.accounts) if each.pk == retriable.account_id)
        for item in PayerChangeItem.objects.pending().filter(change=retriable):
            number = next(number for number, each in enumerate(self.projects) if each.pk == item.project_id)
            self.open[number] = (retriable.pk, item.effective_at, account)
        # an archived project leaves; one that the account pays for already fails again, of an atomic change all
        staying = failed - self.archived
        failing = {number for number in staying if self.present(number) == account}
        if failing and retriable.pk in self.atomic:
            failing = staying
        self.failed[retriable.pk] = failing
        for number in failing | (failed & self.archived):
            self.open.pop(number)
        self.settle(lambda project: True)
        move_due()

    def suspend(self, account: int) -> None:
        if self.ready[account] and account not in self.suspended:
            suspend(self.accounts[account].pk, reason_code="ManualReview", message="look", actor=make.PLATFORM)
            self.ready[account] = False
            self.suspended.add(account)

    def correct(self, what: tuple[int, int, timedelta, timedelta | None]) -> None:
        """The account should have paid for a span, or for a time up to now and from now on."""
        project, account, age, ended = what
        now, row = timezone.now(), Project.objects.get(pk=self.projects[project].pk)
        since = now - (age if ended is None else max(age, ended))
        until = None if ended is None or ended == age else now - min(age, ended)
        self.settle(lambda each: each == project)
        may_answer = self.ready[account] or self.phase(account) == "Suspended"
        possible = may_answer and since >= row.created_at and self.others_paid(project, account, since, until or now)
        if until is None:
            free = project not in self.archived | self.open.keys() and self.present(project) != account
            possible = possible and self.ready[account] and free
        elif project in self.archived:
            possible = possible and until <= row.phase_since
        proposal = {"project": row.name, "since": since.isoformat()} | ({"until": until.isoformat()} if until else {})
        if not possible:
            with pytest.raises(Invalid):
                make.a_request(self.accounts[account], "CorrectPayer", proposal=proposal)
            move_due()
            self.settle(lambda each: True)
            return
        request = make.a_request(self.accounts[account], "CorrectPayer", proposal=proposal)
        make.approve(request.pk, actor=make.APPROVER)
        if until is None:
            self.payers[project].append((None, account))
            until = BillingAccountBinding.objects.paying().get(project=row).established_at
        self.corrections[project].append((since, until, account))

    def phase(self, account: int) -> str:
        return BillingAccount.objects.values_list("phase", flat=True).get(pk=self.accounts[account].pk)

    def others_paid(self, project: int, account: int, since: datetime, until: datetime) -> bool:
        """Whether the account did not pay throughout already."""
        bounds = {since} | {at for start, end, _account in self.corrections[project] for at in (start, end)}
        timeline = BillingAccountBinding.objects.filter(project=self.projects[project])
        for binding in timeline:
            bounds |= {binding.established_at} | ({binding.ended_at} if binding.ended_at else set())
        return any(self.paid(project, at) != account for at in bounds if since <= at < until)

    def paid(self, project: int, at: datetime) -> int | None:
        """Who paid at an instant: of the corrections that cover it the latest, else the binding."""
        for start, end, account in reversed(self.corrections[project]):
            if start <= at < end:
                return account
        keys = {account.pk: number for number, account in enumerate(self.accounts)}
        started = BillingAccountBinding.objects.filter(project=self.projects[project], established_at__lte=at)
        binding = started.order_by("established_at").last()
        return keys[binding.account_id] if binding and (binding.ended_at is None or binding.ended_at > at) else None

    def toggle(self, account: int) -> None:
        if account in self.suspended:
            # until a second person approves its reactivation
            return
        self.ready[account] = not self.ready[account]
        phase = "Ready" if self.ready[account] else "Incomplete"
        BillingAccount.objects.filter(pk=self.accounts[account].pk).update(phase=phase)

    def close(self, account: int) -> None:
        month = timezone.now().date().replace(day=1) - timedelta(days=1)
        if self.accounts[account].usage_closings.filter(opens_on__gt=month).exists():
            return
        now = timezone.now()
        due = {project: each for project, each in self.open.items() if each[1] <= now}
        changes = {change for project, (change, _at, to) in due.items() if account in (to, self.present(project))}
        self.settle(lambda project: self.open[project][0] in changes)
        close_month(self.accounts[account].pk, month, reason="invoiced", actor=make.PLATFORM)

    def check(self) -> None:
        """Compare the ledger with this model."""
        keys = {account.pk: number for number, account in enumerate(self.accounts)}
        for number, project in enumerate(self.projects):
            timeline = assert_timeline(project)
            assert [keys[each.account_id] for each in timeline] == [account for _at, account in self.payers[number]]
            for binding, (at, _account) in zip(timeline, self.payers[number], strict=True):
                assert at in (None, binding.established_at)
            bounds = [at for start, end, _account in self.corrections[number] for at in (start, end - STEP, end)]
            for at in (*bounds, timezone.now()):
                payer = payer_at(project, at)
                assert (keys[payer.account.pk] if payer else None) == self.paid(number, at)
        pending = PayerChangeItem.objects.pending().select_related("change")
        assert {(item.project_id, item.change_id, item.effective_at) for item in pending} == {
            (self.projects[number].pk, change, at) for number, (change, at, _account) in self.open.items()
        }
        assert all(change.items.pending().exists() for change in PayerChange.objects.open())
        assert_rollup_is_a_recount()
        months = UsageRollup.objects.filter(granularity="month")
        assert sum((row.quantity for row in months), Decimal(0)) == self.quantity

    def known(self, at: datetime) -> Iterator[tuple[int, datetime, int | None]]:
        """Yield who paid for each project at several instants, as the ledger knows it at `at`."""
        for number, project in enumerate(self.projects):
            for instant in (at, at - timedelta(days=1), at + timedelta(days=3)):
                payer = payer_at(project, instant, at)
                yield number, instant, payer.account.pk if payer else None


# each example takes a second
@settings(max_examples=settings().max_examples // 2)
@given(st.lists(st.tuples(PAUSES, ACTS), min_size=1, max_size=14))
def test_the_ledger_is_what_a_plain_model_says_whatever_happens_in_whichever_order(steps: list[Any]) -> None:
    point = transaction.savepoint()
    clock = [BEGINNING]
    with mock.patch.object(timezone, "now", side_effect=lambda: clock[0]):
        model = Model()
        answers: list[tuple[datetime, list[Any]]] = []
        closed: dict[Any, Any] = {}
        for pause, (name, argument) in steps:
            clock[0] += pause
            # what is written from now on has this instant at the earliest
            answers.append((clock[0] - STEP, list(model.known(clock[0] - STEP))))
            getattr(model, name)(argument)
            model.check()
            assert closed.items() <= rollup().items()
            closed = figures_of_closed_months(model)  # type: ignore[arg-type]
        clock[0] += timedelta(days=30)
        model.work(None)
        model.check()
        assert closed.items() <= rollup().items()
        for known_at, answer in answers:
            assert list(model.known(known_at)) == answer
    transaction.savepoint_rollback(point)
