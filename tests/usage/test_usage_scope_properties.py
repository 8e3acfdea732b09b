"""Whatever the tree was in which month: all that is paid is all that is used, and a subtree is the sum of its parts."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.models import BillingAccount, UsageMeter, UsageRollup
from billing.models.affiliation import payer_of_record
from billing.models.usage_rollup import DAY, MONTH
from billing.services.affiliations.scopes import OWN, PAID, SUBTREE, of_scope
from billing.services.affiliations.specs import months_after
from billing.services.affiliations.trees import Tree
from billing.services.usage.reports import TOTAL, UsageQuery
from milo.errors import Invalid
from tests.support import make
from tests.support.affiliations import Months, an_affiliation, month
from tests.support.usage import an_event, taken

pytestmark = pytest.mark.django_db
ACCOUNTS, MONTHS = 5, 4
AFFILIATION = st.tuples(
    st.integers(0, ACCOUNTS - 1), st.none() | st.integers(0, ACCOUNTS - 1), st.sampled_from(["Parent", "Self"])
)
HISTORY = st.lists(st.lists(AFFILIATION, max_size=4), min_size=MONTHS - 1, max_size=MONTHS - 1)


def _affiliate(accounts: list[BillingAccount], child: int, parent: int | None, payer: str) -> None:
    under = None if parent is None else accounts[parent]
    # cycles, and the same relation twice
    with suppress(Invalid):
        an_affiliation(accounts[child], under, payer=payer if under else "", after=1)


def _use(accounts: list[BillingAccount], first: date) -> None:
    """Give each account in each month a sum of its own, of which two days are parts."""
    project = make.a_project(accounts[0].organization)
    taken(an_event(project))
    meter = UsageMeter.objects.get()
    rows = []
    for number, account in enumerate(accounts):
        for after in range(MONTHS):
            starts_on, part = months_after(first, after), Decimal(10**number * (after + 1))
            of: Any = {"account": account, "project": project, "meter": meter, "billed_in": starts_on}
            rows.append(UsageRollup(granularity=MONTH, starts_on=starts_on, quantity=3 * part, events=3, **of))
            for day, quantity, events in ((0, part, 1), (14, 2 * part, 2)):
                starts = starts_on + timedelta(days=day)
                rows.append(UsageRollup(granularity=DAY, starts_on=starts, quantity=quantity, events=events, **of))
    UsageRollup.objects.bulk_create(rows)


def _sums(account: BillingAccount, scope: str, start: date, end: date, granularity: str = TOTAL) -> tuple[Any, int]:
    lines = of_scope(account, UsageQuery(start, end, granularity), scope)
    assert granularity != TOTAL or len(lines) <= 1
    return sum(line.quantity for line in lines), sum(line.events for line in lines)


def _added(parts: Iterator[tuple[Any, int]]) -> tuple[Any, int]:
    each = list(parts)
    return sum(quantity for quantity, _events in each), sum(events for _quantity, events in each)


def _check_month(accounts: list[BillingAccount], start: date) -> None:
    end, tree = months_after(start, 1), Tree.of(accounts[0].organization_id, start)
    own, paid, below = (
        {each.pk: _sums(each, scope, start, end) for each in accounts} for scope in (OWN, PAID, SUBTREE)
    )
    assert _added(iter(paid.values())) == _added(iter(own.values()))
    payers = {each.pk: payer_of_record(each, start).pk for each in accounts}
    for account in accounts:
        assert paid[account.pk] == _added(own[key] for key, payer in payers.items() if payer == account.pk)
        children = [below[key] for key in tree.children.get(account.pk, ())]
        assert below[account.pk] == _added(iter([own[account.pk], *children]))


def _check_spans(account: BillingAccount, scope: str, first: date) -> None:
    """A span over all months, cut within the first and the last, is the sum of its months, however it is told apart."""
    start, end = first + timedelta(days=9), months_after(first, MONTHS - 1) + timedelta(days=9)
    cuts = [start, *(months_after(first, after) for after in range(1, MONTHS)), end]
    parts = _added(_sums(account, scope, *span) for span in pairwise(cuts))
    for granularity in (DAY, MONTH, TOTAL):
        assert _sums(account, scope, start, end, granularity) == parts


# each example reads some 200 sums
@settings(max_examples=12)
@given(HISTORY)
def test_all_that_is_paid_is_all_that_is_used_in_every_month_of_a_tree(history: list[list[Any]]) -> None:
    point = transaction.savepoint()
    with pytest.MonkeyPatch.context() as patch:
        clock, first = Months(patch), month()
        organization = make.an_organization()
        accounts = [make.a_ready_account(organization) for _ in range(ACCOUNTS)]
        for plans in history:
            for plan in plans:
                _affiliate(accounts, *plan)
            clock.go()
        _use(accounts, first)
        for after in range(MONTHS):
            _check_month(accounts, months_after(first, after))
        for account in accounts[:2]:
            for scope in (PAID, SUBTREE):
                _check_spans(account, scope, first)
    transaction.savepoint_rollback(point)
