"""Attacks on accounts under accounts: plans and facts, payers of record, and their marks on accounts and bindings."""

import uuid
from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any

from django.db import connection
from django.utils import timezone

from billing.models import AccountPayer
from billing.services.affiliations.cancellations import cancel
from tests.attacks.machinery import (
    HOUR,
    SQLITE,
    Attack,
    changes,
    delete,
    deletions,
    execute,
    insert,
    replacements,
    unique,
    update,
)
from tests.support import make
from tests.support.affiliations import an_affiliation, month

TABLE, PAYERS, UNBOUND = "billing_billingaccountaffiliation", "billing_accountpayer", "billing_unboundproject"
PHASES = dict.fromkeys((SQLITE, "postgresql"), "affiliation_(known_phase|instants_of_phase)")


class World:
    """`de` under `eu` under `group`, one plan, one cancelled, and an account whose payer of record was suspended."""

    def __init__(self) -> None:
        self.organization, self.other = make.an_organization(), make.an_organization()
        self.group, self.eu, self.de, self.solo, self.spare, self.below, self.lowest, self.shaky = (
            make.a_ready_account(self.organization) for _ in range(8)
        )
        self.yen = make.a_ready_account(self.organization, currency_code="JPY")
        self.foreign = make.a_ready_account(self.other)
        self.active = an_affiliation(self.eu, self.group)
        an_affiliation(self.de, self.eu)
        an_affiliation(self.below, self.shaky)
        an_affiliation(self.lowest, self.below)
        self.planned = an_affiliation(self.solo, self.group, after=1)
        self.cancelled = an_affiliation(self.spare, self.group, after=1)
        cancel(self.cancelled.pk, reason="put off", actor=make.PLATFORM)
        self.cancelled.refresh_from_db()
        make.in_phase(self.shaky, "Suspended")
        self.shut, above = (make.a_ready_account(self.organization) for _ in range(2))
        an_affiliation(self.shut, above, payer="Self")
        for account in (self.shut, above):
            make.in_phase(account, "Closed")
        self.between, end = (make.a_ready_account(self.organization) for _ in range(2))
        an_affiliation(self.between, self.group)
        an_affiliation(end, self.between)
        for account in (end, self.between):
            make.in_phase(account, "Closed")
        self.row = AccountPayer.objects.get(account=self.eu)
        self.binding = make.a_binding(make.a_project(self.organization), self.spare)
        self.unbound = make.a_project(self.organization)
        connection.check_constraints()


def _now(_world: World) -> Any:
    return timezone.now()


def _activated(**columns: Callable[[World], Any]) -> Callable[[World], object]:
    """Make a plan by SQL, which is no fault, and then the fact that is refused."""

    def attack(w: World) -> None:
        values = {"effective_from": month()} | {name: value(w) for name, value in columns.items()}
        plan = insert(w.planned, **values)
        update(plan, phase="Active", activated_at=timezone.now())

    return attack


def _superseded_by_force(w: World) -> None:
    plan = insert(w.planned, account_id=w.eu.pk)
    ended = {"ended_from": month(3), "finished_at": timezone.now(), "activated_at": timezone.now()}
    update(plan, phase="Superseded", **ended)


def _ended(w: World, day: date) -> object:
    return update(w.active, phase="Superseded", ended_from=day, finished_at=timezone.now())


def _unfollowed(w: World) -> None:
    """Supersede by a plan that stays one."""
    insert(w.planned, account_id=w.eu.pk)
    _ended(w, month(1))


def _at_the_end(act: Callable[[World], object], w: World) -> None:
    act(w)
    connection.check_constraints()


def _of_another(w: World) -> None:
    delete(w.row)
    AccountPayer.objects.create(account=w.eu, payer=w.spare, from_month=w.row.from_month)


def _begins_earlier(w: World) -> None:
    insert(w.row, from_month=date(2025, 1, 1), until_month=date(2025, 2, 1))
    update(w.row, from_month=date(2025, 1, 1))


_OVERLAP = ("account_payer_no_overlap_insert",)
_CYCLE = _activated(account_id=lambda w: w.group.pk, parent_id=lambda w: w.de.pk, payer=lambda w: "Self")
_SECOND = _activated(account_id=lambda w: w.eu.pk, parent_id=lambda w: w.spare.pk)
ATTACKS: dict[str, list[Attack]] = {
    "affiliation_identity_fixed": changes(
        "planned",
        id=1_000_000,
        uid=uuid.uuid4(),
        name="renamed",
        created_at=lambda w: timezone.now() - HOUR,
        organization=lambda w: w.other,
        account=lambda w: w.spare,
        parent=lambda w: w.spare,
        payer="Self",
        effective_from=lambda w: month(2),
        reason="none",
        created_by="user:nobody",
        instead_of="none",
    ),
    "affiliation_activation_fixed": changes("active", activated_at=_now, supersedes=lambda w: w.cancelled),
    "affiliation_outcome_fixed": changes(
        "cancelled", phase="Failed", outcome="none", finished_at=_now, ended_from=lambda w: month(2)
    ),
    "affiliation_never_deleted": deletions("planned"),
    "affiliation_never_replaced": replacements(
        "cancelled", ("id",), ("uid",), ("organization_id", "name"), lifting=("affiliation_begins_as_plan",)
    ),
    "affiliation_one_organization": [
        Attack(lambda w: insert(w.planned, account_id=w.foreign.pk)),
        Attack(lambda w: insert(w.planned, account_id=w.spare.pk, parent_id=w.foreign.pk)),
        Attack(lambda w: insert(w.planned, organization_id=w.other.pk), ("affiliation_not_doubled",)),
    ],
    "affiliation_begins_as_plan": [
        Attack(lambda w: insert(w.active, account_id=w.spare.pk)),
        Attack(lambda w: insert(w.cancelled)),
    ],
    "affiliation_not_doubled": [Attack(lambda w: insert(w.planned))],
    "affiliation_goes_forward": [
        *changes("active", phase="Cancelled"),
        Attack(lambda w: update(w.planned, phase="Ended", ended_from=month(3), finished_at=timezone.now())),
    ],
    "affiliation_whole_months_insert": [
        Attack(lambda w: insert(w.planned, account_id=w.spare.pk, effective_from=month(1).replace(day=2)))
    ],
    "affiliation_whole_months_update": [
        Attack(lambda w: _ended(w, month(1).replace(day=2)), ("affiliation_superseded_by_plan",))
    ],
    "affiliation_not_planned_late": [
        Attack(lambda w: insert(w.planned, account_id=w.spare.pk, effective_from=month(-1))),
    ],
    "affiliation_not_early": [Attack(lambda w: update(w.planned, phase="Active", activated_at=timezone.now()))],
    "affiliation_superseded_by_plan": [Attack(lambda w: _ended(w, month(3)))],
    "affiliation_has_successor": [Attack(partial(_at_the_end, _unfollowed), only="postgresql")],
    "affiliation_ends_with_account": [
        Attack(lambda w: update(w.active, phase="Ended", ended_from=month(1), finished_at=timezone.now()))
    ],
    "affiliation_needs_ready": [
        Attack(_activated(account_id=lambda w: w.spare.pk, parent_id=lambda w: w.shaky.pk)),
    ],
    "affiliation_needs_ready_payer": [
        Attack(_activated(account_id=lambda w: w.spare.pk, parent_id=lambda w: w.below.pk)),
        # two levels up
        Attack(_activated(account_id=lambda w: w.spare.pk, parent_id=lambda w: w.lowest.pk)),
    ],
    "affiliation_one_currency": [
        Attack(_activated(account_id=lambda w: w.yen.pk)),
    ],
    "affiliation_no_cycle": [Attack(_CYCLE)],
    "affiliation_follows_previous": [Attack(_SECOND, ("affiliation_continues_superseded",))],
    "affiliation_continues_superseded": [Attack(_SECOND, ("affiliation_follows_previous",))],
    "affiliation_no_overlap": [Attack(_superseded_by_force, ("affiliation_goes_forward",), only="postgresql")],
    "affiliation_one_scheduled": [
        Attack(lambda w: insert(w.planned), ("affiliation_not_doubled",), unique(f"{TABLE}.account_id"))
    ],
    "affiliation_one_active": [
        Attack(
            _SECOND,
            ("affiliation_continues_superseded", "affiliation_follows_previous"),
            unique(f"{TABLE}.account_id"),
        )
    ],
    "affiliation_name_in_organization": [
        Attack(
            lambda w: insert(w.planned, account_id=w.spare.pk, name=w.planned.name),
            ("affiliation_never_replaced",),
            unique(f"{TABLE}.organization_id", f"{TABLE}.name"),
        )
    ],
    "affiliation_known_phase": [Attack(lambda w: update(w.planned, phase="Imaginary"), says=PHASES)],
    "affiliation_payer_exists": [Attack(lambda w: insert(w.planned, account_id=w.spare.pk, parent_id=None))],
    "affiliation_not_under_itself": [Attack(lambda w: insert(w.planned, account_id=w.group.pk))],
    "affiliation_instants_of_phase": changes("planned", activated_at=_now, finished_at=_now, outcome="none"),
    "affiliation_ends_after_start": [
        Attack(lambda w: _ended(w, w.active.effective_from), ("affiliation_superseded_by_plan",))
    ],
    "affiliation_by_someone_for_a_reason": [
        Attack(lambda w: insert(w.planned, account_id=w.spare.pk, reason="")),
        Attack(lambda w: insert(w.planned, account_id=w.spare.pk, created_by="")),
    ],
    "unbound_project_of_nobody": [
        Attack(
            lambda w: execute(
                f"INSERT INTO {UNBOUND} SELECT id, created_at FROM projects_project WHERE id = {w.binding.project_id}"
            )
        ),
        Attack(
            lambda w: execute(f"INSERT OR REPLACE INTO {UNBOUND} VALUES ({w.unbound.pk}, '2001-02-03')"), only=SQLITE
        ),
    ],
    "unbound_project_kept": [Attack(lambda w: execute(f"DELETE FROM {UNBOUND} WHERE project_id = {w.unbound.pk}"))],
    "unbound_project_never_changed": [
        Attack(lambda w: execute(f"UPDATE {UNBOUND} SET created_at = '2001-02-03'")),
        Attack(lambda w: execute(f"UPDATE {UNBOUND} SET project_id = {w.binding.project_id}")),
    ],
    "account_payer_fixed": changes(
        "row", id=1_000_000, account=lambda w: w.spare, payer=lambda w: w.spare, until_month=lambda w: month(1)
    ),
    "account_payer_is_paid_by": [
        Attack(partial(_at_the_end, act), only="postgresql")
        for act in (
            lambda w: delete(w.row),
            lambda w: insert(w.row, account_id=w.spare.pk),
            _of_another,
        )
    ],
    "account_payer_as_related_insert": [
        Attack(lambda w: insert(w.row, account_id=w.spare.pk), only=SQLITE),
        # its parent, which another pays for
        Attack(
            lambda w: insert(w.row, account_id=w.de.pk, payer_id=w.eu.pk, from_month=month(1)), _OVERLAP, only=SQLITE
        ),
    ],
    "account_payer_as_related_delete": [Attack(lambda w: delete(w.row), only=SQLITE)],
    "account_payer_one_organization": [Attack(lambda w: insert(w.row, account_id=w.foreign.pk, until_month=month(1)))],
    "account_payer_whole_months_insert": [
        Attack(lambda w: insert(w.row, account_id=w.spare.pk, until_month=month(1).replace(day=2)))
    ],
    "account_payer_whole_months_update": changes("row", from_month=lambda w: month().replace(day=2)),
    "account_payer_no_overlap_insert": [Attack(lambda w: insert(w.row, from_month=month(1)))],
    "account_payer_no_overlap_update": [Attack(_begins_earlier)],
    "account_payer_never_replaced": replacements(
        "row", ("id",), ("account_id", "from_month"), lifting=("account_payer_no_overlap_insert",)
    ),
    "account_payer_once": [
        Attack(
            lambda w: insert(w.row, until_month=month(1)),
            ("account_payer_no_overlap_insert", "account_payer_never_replaced"),
            unique(f"{PAYERS}.account_id", f"{PAYERS}.from_month"),
        )
    ],
    "account_payer_one_open": [
        Attack(
            lambda w: insert(w.row, from_month=month(1)),
            ("account_payer_no_overlap_insert",),
            unique(f"{PAYERS}.account_id"),
        )
    ],
    "account_payer_one_a_month": [
        Attack(
            lambda w: insert(w.row, from_month=date(2025, 1, 1), until_month=month(1)),
            ("account_payer_no_overlap_insert",),
            only="postgresql",
        )
    ],
    "account_payer_span": [Attack(lambda w: insert(w.row, account_id=w.spare.pk, until_month=w.row.from_month))],
    "account_paid_by_of_record": [Attack(lambda w: insert(w.spare, paid_by_id=w.group.pk))],
    "account_paid_by_as_of_record": [
        *changes("spare", paid_by=lambda w: w.group),
        *changes("eu", paid_by=lambda w: w.spare),
        Attack(lambda w: update(w.eu, paid_by=None)),
    ],
    "account_not_paid_by_itself": [
        Attack(lambda w: update(w.spare, paid_by=w.spare), ("account_paid_by_as_of_record",))
    ],
    "account_currency_of_payer": [
        Attack(lambda w: update(w.eu, currency_code="EUR"), ("account_currency_fixed",)),
        Attack(lambda w: update(w.group, currency_code="EUR"), ("account_currency_fixed",)),
    ],
    "account_closed_while_above": [
        Attack(lambda w: update(w.group, phase="Closed", closed_at=timezone.now(), closed_from="Ready"))
    ],
    "account_archived_between": [Attack(lambda w: update(w.between, phase="Archived", archived_at=timezone.now()))],
    "account_reopened_below_closed": [Attack(lambda w: update(w.shut, phase="Ready", closed_at=None, closed_from=""))],
    "binding_needs_ready_payer": [
        Attack(lambda w: insert(w.binding, project_id=w.unbound.pk, account_id=w.below.pk)),
    ],
}
