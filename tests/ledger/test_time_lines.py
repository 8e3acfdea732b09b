"""Time lines go forward, whichever process writes and however its clock is set."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from billing.models import ApprovalRequest, BillingAccount, BillingAccountBinding, Hold, Suspension
from billing.services import past
from billing.services.accounts import AccountSpec, revise
from billing.services.approvals.decisions import reject
from billing.services.holds import set_hold
from billing.services.suspensions import resolve, suspend
from milo import audit
from milo.access import Actor
from milo.errors import Forbidden
from milo.ledger.tables import all_tables
from tests.attacks.machinery import SQLITE, execute
from tests.support import make
from tests.support.ledger import nothing_changes
from tests.support.make import approve

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
EDITOR = Actor("user:editor", frozenset({"finance-operator", "finance-approver"}))
OTHER = Actor("user:other", frozenset({"finance-operator"}))
MEMBERS: dict[Any, str] = {
    BillingAccount: "id",
    Suspension: "account_id",
    Hold: "account_id",
    ApprovalRequest: "account_id",
}
Shift = Callable[[timedelta], AbstractContextManager[None]]


@pytest.fixture
def shifted(monkeypatch: pytest.MonkeyPatch) -> Shift:
    """Return a context in which a process has a clock that is ahead, or behind where the shift is negative."""
    true = timezone.now

    @contextmanager
    def shift(by: timedelta) -> Iterator[None]:
        with monkeypatch.context() as patch:
            patch.setattr(timezone, "now", lambda: true() + by)
            yield

    return shift


def rename(account: BillingAccount, name: str, *, actor: Actor = OTHER) -> None:
    account.refresh_from_db()
    revise(account.pk, replace(AccountSpec.of(account), display_name=name), actor=actor)


def time_line(account: BillingAccount) -> list[datetime]:
    """Return the instants of the account's time line, table by table in the order in which rows were written."""
    return [
        row.history_date
        for model, column in MEMBERS.items()
        for row in model.history.filter(**{column: account.pk}).order_by("history_id")
    ]


def resolve_review(account: BillingAccount) -> None:
    uid = Suspension.objects.open().get(account=account).uid
    resolve(account.pk, uid, evidence={"reviewer": "approver", "note": "all is well"}, actor=OTHER)


ACTS: list[Callable[[BillingAccount], object]] = [
    lambda account: rename(account, "first"),
    lambda account: suspend(account.pk, reason_code="ManualReview", message="under review", actor=OTHER),
    lambda account: set_hold(account.pk, type="Dispute", message="a dispute", actor=OTHER),
    resolve_review,
    lambda account: reject(make.a_request(account, "Reactivate").pk, comment="not now", actor=make.APPROVER),
    lambda account: rename(account, "second"),
]


@pytest.mark.parametrize("ahead", range(len(ACTS)))
def test_each_act_comes_after_all_before_it_though_one_process_has_a_clock_that_is_ahead(
    account: BillingAccount, shifted: Shift, ahead: int
) -> None:
    for number, act in enumerate(ACTS):
        before = time_line(account)
        with shifted(HOUR if number == ahead else timedelta()):
            act(account)
        added = list(time_line(account))
        for instant in before:
            added.remove(instant)
        assert added
        assert min(added) > max(before)


def test_who_edited_last_cannot_approve_where_another_process_had_a_clock_ahead(
    account: BillingAccount, shifted: Shift
) -> None:
    with shifted(timedelta(seconds=5)):
        rename(account, "before")
    rename(account, "after", actor=EDITOR)
    request = make.a_request(account)
    with nothing_changes(), pytest.raises(Forbidden, match="another person must approve"):
        approve(request.pk, actor=EDITOR)
    assert request not in ApprovalRequest.objects.awaiting(EDITOR.name)
    assert request in ApprovalRequest.objects.awaiting(make.APPROVER.name)


def test_who_edited_last_cannot_approve_where_the_clock_was_set_back(account: BillingAccount, shifted: Shift) -> None:
    rename(account, "before")
    with shifted(-HOUR):
        rename(account, "after", actor=EDITOR)
        request = make.a_request(account)
        with nothing_changes(), pytest.raises(Forbidden, match="another person must approve"):
            approve(request.pk, actor=EDITOR)


def test_the_newest_terms_are_those_as_of_now_where_the_clock_was_set_back(
    account: BillingAccount, shifted: Shift
) -> None:
    rename(account, "before")
    with shifted(-HOUR):
        rename(account, "after")
    known = past.as_of(account, timezone.now() + timedelta(seconds=1))
    assert known
    assert known.display_name == "after"


def test_an_act_that_says_when_it_was_says_so_after_what_came_before(account: BillingAccount, shifted: Shift) -> None:
    with shifted(HOUR):
        suspend(account.pk, reason_code="ManualReview", message="under review", actor=OTHER)
    resolve_review(account)
    resolved = Suspension.objects.get(account=account)
    assert resolved.resolved_at
    assert resolved.resolved_at > resolved.suspended_at
    request = make.a_request(account, "Reactivate")
    assert request.requested_at > resolved.resolved_at
    approve(request.pk, actor=make.APPROVER)
    account.refresh_from_db()
    request.refresh_from_db()
    assert request.decided_at
    assert account.phase_since > request.requested_at


def test_what_was_known_of_a_payer_goes_forward_too(shifted: Shift) -> None:
    organization = make.an_organization()
    project, first, second = (
        make.a_project(organization),
        make.a_ready_account(organization),
        make.a_ready_account(organization),
    )
    with shifted(HOUR):
        make.a_binding(project, first)
    make.a_binding(project, second)
    rows = list(BillingAccountBinding.history.order_by("history_id"))
    assert [row.account_id for row in rows] == [first.pk, first.pk, second.pk]
    established, superseded, taken_over = (row.history_date for row in rows)
    # nobody is told that the first has ended and not who pays instead
    assert established < superseded == taken_over == rows[2].established_at


HISTORIES = [table for table in all_tables() if table.history]


@pytest.mark.parametrize("table", HISTORIES, ids=lambda table: table.stem)
def test_the_application_cannot_write_history_itself(table: Any) -> None:
    make.in_phase(make.a_ready_account(make.an_organization()), "Suspended")
    if connection.vendor == SQLITE:  # has no roles: the guards alone refuse, tests/attacks/past.py
        return
    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
        execute(f"INSERT INTO {table.name} DEFAULT VALUES")


def test_a_history_row_is_a_copy_of_the_live_row_whatever_the_application_says(account: BillingAccount) -> None:
    if connection.vendor == SQLITE:
        return
    said = {"history_date": "clock_timestamp()", "history_type": "'~'", "history_approval": "NULL"}
    arguments = [said.get(column.attname, "'forged'") for column in audit.histories()[BillingAccount].added]
    call = f"SELECT record_billingaccount({', '.join(arguments)}, {{key}})"
    for key in (0, -1):
        with pytest.raises(DatabaseError, match="there is no such row"), transaction.atomic():
            execute(call.format(key=key))
    execute(call.format(key=account.pk))
    newest, before = account.history.order_by("-history_id")[:2]
    columns = [column.attname for column in BillingAccount._meta.concrete_fields]
    assert [getattr(newest, name) for name in columns] == [getattr(before, name) for name in columns]
