"""Attacks on payer changes: what was planned, for which projects, and what came of them."""

import uuid
from datetime import timedelta
from typing import Any

from django.db import connection
from django.db.models import F
from django.utils import timezone

from billing.models import PayerChangeItem
from billing.services.payer_changes.facts import move_due
from billing.services.projects import archive_project
from tests.attacks.machinery import HOUR, Attack, changes, deletions, insert, replacements, unique, update
from tests.support import make
from tests.support.payer_changes import a_payer_change

ENDED: dict[str, Any] = {"total": 1, "done": 1, "failed": 0, "cancelled": 0}
AS_PLANNED = ("payer_change_item_as_planned",)
OPEN: dict[str, Any] = {"finished_at": None, **dict.fromkeys(ENDED)}


class World:
    """A plan, one that completed and one that failed in part, with an item of each phase."""

    def __init__(self) -> None:
        self.organization, self.other = make.an_organization(), make.an_organization()
        self.eu, self.emea = make.a_ready_account(self.organization), make.a_ready_account(self.organization)
        self.foreign = make.a_ready_account(self.other)
        self.foreign_project = make.a_project(self.other)
        moved, archived, planned, self.spare = (make.a_project(self.organization) for _ in range(4))
        self.binding = make.a_binding(self.spare, self.eu)
        archive_project(archived.pk, actor=make.PLATFORM)
        self.partly = a_payer_change(self.emea, moved, archived, effective_at=None)
        self.completed = a_payer_change(self.emea, make.a_project(self.organization), effective_at=None)
        move_due()
        self.planned = a_payer_change(self.emea, planned)
        items = PayerChangeItem.objects
        self.pending, self.done = items.get(project=planned), items.get(project=moved)
        self.failed = items.get(project=archived)
        connection.check_constraints()


def _now(_world: World) -> Any:
    return timezone.now()


def _ended(_world: World) -> dict[str, Any]:
    return {"finished_at": timezone.now(), **ENDED}


ATTACKS: dict[str, list[Attack]] = {
    "payer_change_identity_fixed": changes(
        "planned",
        id=1_000_000,
        uid=uuid.uuid4(),
        name="renamed",
        created_at=lambda w: timezone.now() - HOUR,
        organization=lambda w: w.other,
        account=lambda w: w.eu,
        source=lambda w: w.eu,
        projects=["another"],
        project_selector={"matchLabels": {}},
        effective_at=F("effective_at") + HOUR,
        at_once=True,
        atomic=True,
        reason="none",
        created_by="user:nobody",
    ),
    "payer_change_outcome_fixed": [
        Attack(lambda w: update(w.completed, phase="InProgress", **OPEN)),
        *changes("completed", finished_at=_now, total=2, done=0, failed=1, cancelled=1),
    ],
    "payer_change_goes_forward": [
        Attack(lambda w: update(w.partly, phase="Scheduled", **OPEN)),
        *changes("partly", phase="Completed"),
    ],
    "payer_change_never_deleted": deletions("planned"),
    "payer_change_never_replaced": replacements("completed", ("id",), ("uid",), ("organization_id", "name")),
    "payer_change_one_organization": [
        Attack(lambda w: insert(w.planned, account_id=w.foreign.pk)),
        Attack(lambda w: insert(w.planned, organization_id=w.other.pk)),
        Attack(lambda w: insert(w.planned, projects=None, source_id=w.foreign.pk)),
    ],
    "payer_change_name_in_organization": [
        Attack(
            lambda w: insert(w.planned, name=w.planned.name),
            lifting=("payer_change_never_replaced",),
            says=unique("billing_payerchange.organization_id", "billing_payerchange.name"),
        ),
    ],
    "payer_change_known_phase": [Attack(lambda w: update(w.planned, phase="Imaginary", **_ended(w)))],
    "payer_change_selects_one_way": [
        Attack(lambda w: insert(w.planned, source_id=w.eu.pk)),
        Attack(lambda w: insert(w.planned, project_selector={"matchLabels": {"a": "b"}})),
        Attack(lambda w: insert(w.planned, projects=None)),
    ],
    "payer_change_counts_when_finished": [
        *changes("planned", total=1, finished_at=_now, phase="Failed"),
        Attack(lambda w: update(w.partly, phase="InProgress", finished_at=None)),
    ],
    "payer_change_by_someone_for_a_reason": [
        Attack(lambda w: insert(w.planned, reason="")),
        Attack(lambda w: insert(w.planned, created_by="")),
    ],
    "payer_change_item_identity_fixed": changes(
        "pending", id=1_000_000, change=lambda w: w.completed, project=lambda w: w.spare
    ),
    "payer_change_item_instant_fixed": changes("pending", effective_at=F("effective_at") + timedelta(hours=1)),
    "payer_change_item_outcome_fixed": [
        Attack(lambda w: update(w.done, phase="Pending", settled_at=None, binding=None)),
        *changes("done", settled_at=_now, reason="Imaginary", message="changed"),
    ],
    "payer_change_item_never_deleted": deletions("done"),
    "payer_change_item_never_replaced": replacements("done", ("id",), ("change_id", "project_id"), lifting=AS_PLANNED),
    "payer_change_item_one_organization": [
        Attack(lambda w: insert(w.failed, project_id=w.foreign_project.pk), lifting=AS_PLANNED),
    ],
    "payer_change_item_as_planned": [
        Attack(lambda w: insert(w.failed, project_id=w.spare.pk)),
        Attack(lambda w: insert(w.pending, project_id=w.spare.pk, effective_at=timezone.now() - HOUR)),
    ],
    "payer_change_item_not_backdated": changes("failed", effective_at=F("effective_at") - timedelta(hours=1)),
    "payer_change_item_not_doubled": [
        Attack(lambda w: insert(w.pending, change_id=w.completed.pk), lifting=AS_PLANNED)
    ],
    "payer_change_item_one_open": [
        Attack(
            lambda w: insert(w.pending, change_id=w.completed.pk),
            lifting=("payer_change_item_not_doubled", *AS_PLANNED),
            says=unique("billing_payerchangeitem.project_id"),
        ),
    ],
    "payer_change_item_once": [
        Attack(
            lambda w: insert(w.failed),
            lifting=("payer_change_item_never_replaced", *AS_PLANNED),
            says=unique("billing_payerchangeitem.change_id", "billing_payerchangeitem.project_id"),
        ),
    ],
    "payer_change_item_phase_and_outcome": [
        *changes("pending", reason="Imaginary", settled_at=_now, phase="Cancelled"),
        Attack(lambda w: update(w.pending, phase="Failed", settled_at=timezone.now())),
        Attack(lambda w: update(w.failed, phase="Imaginary")),
    ],
    "payer_change_item_insert_as_bound": [
        Attack(
            lambda w: insert(w.failed, project_id=w.spare.pk, phase="Done", reason="", binding_id=w.binding.pk),
            lifting=AS_PLANNED,
        ),
    ],
    "payer_change_item_update_as_bound": [
        Attack(lambda w: update(w.pending, phase="Done", settled_at=timezone.now(), binding=w.binding)),
    ],
}
