"""Any order of bindings, events, repeats, late events, corrections and closings gives sums equal to a naive recount.

Corrections are of events, and of payers. Of the latter the sum over accounts stays, closed figures stay, what was known
stays the answer as known then, and one that is corrected back leaves nothing.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from unittest import mock

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from billing.models import UsageEvent, UsageIntake, UsageKey
from billing.services import past
from billing.services.closed_months import close_month
from billing.services.projects import archive_project
from billing.services.usage.intake import report
from milo.errors import Invalid
from projects.models import Project
from tests.support import make
from tests.support.ledger import refused
from tests.support.usage import REPORTER, a_correction, an_event, assert_rollup_is_a_recount, rollup

pytestmark = pytest.mark.django_db
PROJECTS, ACCOUNTS, IDS = 2, 3, 12
QUANTITIES = st.decimals("0", "1000", places=3, allow_nan=False).map(lambda value: f"{value:f}")
# around now, where handovers are, and in months that get closed
BEGINNING = datetime(2026, 5, 20, 23, 59, 59, tzinfo=UTC)
PAUSES = st.one_of(
    st.just(timedelta(0)),
    st.timedeltas(timedelta(0), timedelta(seconds=2)),
    st.timedeltas(timedelta(1), timedelta(days=25)),
)
AGES = st.one_of(
    st.integers(-200_000, 2_000).map(lambda ms: timedelta(milliseconds=-ms)),
    st.integers(0, 120).map(lambda days: timedelta(days=-days)),
)
EVENT = st.tuples(st.integers(0, PROJECTS - 1), st.integers(0, IDS - 1), AGES, QUANTITIES, st.sampled_from(["a", "b"]))
STEP = st.one_of(
    st.tuples(st.just("report"), st.lists(EVENT, min_size=1, max_size=6)),
    st.tuples(st.just("repeat"), st.integers(0, IDS - 1)),
    st.tuples(st.just("correct"), st.tuples(st.integers(0, IDS - 1), QUANTITIES)),
    st.tuples(st.just("bind"), st.tuples(st.integers(0, PROJECTS - 1), st.integers(0, ACCOUNTS - 1))),
    st.tuples(st.just("close"), st.integers(0, ACCOUNTS - 1)),
    st.tuples(st.just("archive"), st.just(1)),
    st.tuples(
        st.just("correct_payer"),
        st.tuples(
            st.integers(0, PROJECTS - 1),
            st.integers(0, ACCOUNTS - 1),
            st.timedeltas(timedelta(seconds=1), timedelta(days=100)),
            st.one_of(st.none(), st.timedeltas(timedelta(milliseconds=1), timedelta(days=60))),
        ),
    ),
)


class Ledger:
    """Projects, accounts, and the events that were accepted, by the number in their id."""

    def __init__(self) -> None:
        organization = make.an_organization()
        # usage and corrections reach back to before the first step
        with make.created_at(timezone.now() - timedelta(days=365)):
            self.projects = [make.a_project(organization) for _ in range(PROJECTS)]
        self.known: dict[tuple[Any, datetime, datetime], str] = {}
        self.accounts = [make.a_ready_account(organization) for _ in range(ACCOUNTS)]
        self.accepted: dict[str, dict[str, Any]] = {}

    def report(self, events: list[Any]) -> None:
        batch = []
        for project, number, age, quantity, meter in events:
            time = timezone.now() + age
            named = {"id": f"id-{number}", "data": {"meter": meter}}
            batch.append(an_event(self.projects[project], quantity, time=time, **named))
        self._take(batch)

    def repeat(self, number: int) -> None:
        known = self.accepted.get(f"id-{number}")
        before = rollup()
        if known:
            receipt = report([known, {**known, "type": "other"}], actor=REPORTER)
            assert (receipt.accepted, receipt.duplicates, len(receipt.rejections)) == (0, 1, 1)
        assert rollup() == before

    def correct(self, what: tuple[int, str]) -> None:
        if known := self.accepted.get(f"id-{what[0]}"):
            self._take([a_correction(known, f"-{what[1]}")])

    def bind(self, who: tuple[int, int]) -> None:
        project, account = Project.objects.get(pk=self.projects[who[0]].pk), self.accounts[who[1]]
        pays_already = project.bindings.filter(ended_at=None, account=account).exists()
        if project.phase == "Active" and not pays_already:
            make.a_binding(project, account)

    def close(self, account: int) -> None:
        month = timezone.now().date().replace(day=1) - timedelta(days=1)
        if not self.accounts[account].usage_closings.filter(opens_on__gt=month).exists():
            close_month(self.accounts[account].pk, month, reason="invoiced", actor=make.PLATFORM)

    def correct_payer(self, what: tuple[int, int, timedelta, timedelta | None]) -> None:
        """Correct the payer, back and again: what was there before is what is left of it."""
        number, account, age, length = what
        project, now = Project.objects.get(pk=self.projects[number].pk), timezone.now()
        since = now - age
        until = min(since + length, now) if length else now
        before, stretches, bound = rollup(), past.payers(project, since, until), project.bindings.count()
        totals = _over_accounts(before)
        try:
            self._corrected(project, self.accounts[account], since, until if length else None)
        except Invalid:
            assert rollup() == before
            return
        assert _over_accounts(rollup()) == totals
        assert all(each.account_id == self.accounts[account].pk for each in past.payers(project, since, until))
        if length and all(stretch.account_id for stretch in stretches):
            point, after = transaction.savepoint(), rollup()
            for stretch in stretches:
                payer = next(each for each in self.accounts if each.pk == stretch.account_id)
                if payer != self.accounts[account]:
                    self._corrected(project, payer, stretch.start, stretch.end)
            assert rollup() == before
            transaction.savepoint_rollback(point)
            assert rollup() == after
        assert project.bindings.count() == bound + (length is None)

    def _corrected(self, project: Project, account: Any, since: datetime, until: datetime | None) -> None:
        ends = {"until": until.isoformat()} if until else {}
        proposal = {"project": project.name, "since": since.isoformat(), **ends}
        make.approve(make.a_request(account, "CorrectPayer", proposal=proposal).pk, actor=make.APPROVER)

    def remember(self) -> None:
        """Ask who paid as known now."""
        now = timezone.now()
        # the ledger goes on by microseconds while the clock stands: what is known then is known to the end
        known_at = now + timedelta(seconds=1)
        for project in self.projects:
            for age in (0, 20):
                at = now - timedelta(days=age)
                self.known[project, at, known_at] = self.payer(project, at, known_at)

    def payer(self, project: Project, at: datetime, known_at: datetime) -> str:
        payer = past.payer_at(project, at, known_at)
        return payer.account.name if payer else ""

    def archive(self, project: int) -> None:
        archive_project(self.projects[project].pk, actor=make.PLATFORM)

    def _take(self, batch: list[Any]) -> None:
        receipt = report(batch, actor=REPORTER)
        assert receipt.accepted + receipt.duplicates + len(receipt.rejections) == len(batch)
        rejected = {rejection.index for rejection in receipt.rejections}
        for index, event in enumerate(batch):
            if index not in rejected:
                self.accepted.setdefault(event["id"], event)


@given(st.lists(st.tuples(PAUSES, STEP), min_size=1, max_size=15))
def test_the_rollup_is_a_recount_whatever_happens_in_whichever_order(steps: list[Any]) -> None:
    point = transaction.savepoint()
    clock = [BEGINNING]
    with mock.patch.object(timezone, "now", side_effect=lambda: clock[0]):
        ledger = Ledger()
        closed: dict[Any, Any] = {}
        for pause, (name, given_to_it) in steps:
            clock[0] += pause + timedelta(seconds=2)
            getattr(ledger, name)(given_to_it)
            assert_rollup_is_a_recount()
            assert closed.items() <= rollup().items()
            closed = figures_of_closed_months(ledger)
            ledger.remember()
        assert all(ledger.payer(*key) == answer for key, answer in ledger.known.items())
        assert UsageEvent.objects.count() == UsageKey.objects.count() == len(ledger.accepted)
    transaction.savepoint_rollback(point)


def _over_accounts(rows: dict[Any, Any]) -> dict[Any, tuple[Decimal, int]]:
    """Sum quantities, and events less those withdrawn, over accounts and bills."""
    totals: dict[Any, tuple[Decimal, int]] = {}
    for (_account, project, meter, granularity, starts_on, _billed), (quantity, events, withdrawn) in rows.items():
        total, count = totals.get((project, meter, granularity, starts_on), (Decimal(0), 0))
        totals[project, meter, granularity, starts_on] = total + quantity, count + events - withdrawn
    return totals


def figures_of_closed_months(ledger: Ledger) -> dict[Any, Any]:
    """What was reported, and so may not change."""
    opens = {
        account.pk: max([date.min, *account.usage_closings.values_list("opens_on", flat=True)])
        for account in ledger.accounts
    }
    return {key: row for key, row in rollup().items() if key[0] and key[5] < opens[key[0]]}


@pytest.fixture
def clock() -> Iterator[list[datetime]]:
    now = [BEGINNING]
    with mock.patch.object(timezone, "now", side_effect=lambda: now[0]):
        yield now


def test_what_arrives_after_a_month_was_closed_is_billed_in_the_first_open_one(clock: list[datetime]) -> None:
    ledger = Ledger()
    project, account = ledger.projects[0], ledger.accounts[0]
    # the clock stands still, so that the binding comes 1 microsecond after the project that it is of
    bound_at = make.a_binding(project, account).established_at
    early, late = (an_event(project, quantity, time=bound_at) for quantity in ("1", "2"))
    clock[0] += timedelta(days=31)
    assert report([early], actor=REPORTER).accepted == 1
    with refused(Invalid):
        close_month(account.pk, clock[0].date(), reason="too early", actor=make.PLATFORM)
    with refused(Invalid):
        close_month(account.pk, BEGINNING.date(), reason=" ", actor=make.PLATFORM)
    closing = close_month(account.pk, BEGINNING.date(), reason="invoiced", actor=make.PLATFORM)
    with refused(Invalid):
        close_month(account.pk, BEGINNING.date(), reason="again", actor=make.PLATFORM)
    # no clock runs between the closing and this
    assert report([late], actor=REPORTER).accepted == 1
    before, after = UsageIntake.objects.order_by("pk").values_list("received_at", flat=True)
    assert before < closing.closed_at < after
    billed = {(key[0], key[5].isoformat()): row for key, row in rollup(granularity="month").items()}
    assert billed == {(account.pk, "2026-05-01"): (Decimal(1), 1, 0), (account.pk, "2026-06-01"): (Decimal(2), 1, 0)}
    assert_rollup_is_a_recount()
