"""Writes past the services, and the name by which the database refuses each."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import connection, models
from django.db.models import F

from milo.kube.models import Counter
from projects.models import Membership
from tests import make

SQLITE = "sqlite"


class World:
    """An organization with a project that has changed its payer once, and what an attacker finds beside it."""

    def __init__(self) -> None:
        self.organization, self.other = make.an_organization(), make.an_organization()
        self.project, self.unbound = make.a_project(self.organization), make.a_project(self.organization)
        self.theirs, self.their_account = make.a_project(self.other), make.a_ready_account(self.other)
        self.empty = make.an_organization()
        self.before, self.payer = (make.a_ready_account(self.organization) for _ in range(2))
        self.incomplete = make.an_incomplete_account(self.organization)
        self.superseded = make.a_binding(self.project, self.before)
        self.active = make.a_binding(self.project, self.payer)
        person = make.a_person(roles={self.organization: "billing-viewer"})
        self.membership = Membership.objects.get(user=person)
        # triggers that wait for the end of the transaction keep PostgreSQL from changing a table before it
        connection.check_constraints()


def update(row: models.Model, **columns: Any) -> int:
    return type(row)._base_manager.filter(pk=row.pk).update(**columns)


def insert(row: models.Model, **columns: Any) -> Any:
    """Write a copy of `row` beside it, with keys of its own but for what `columns` says."""
    model = type(row)
    values = model._base_manager.filter(pk=row.pk).values().get() | {"uid": uuid.uuid4(), "name": make.a_name("copy")}
    values = {name: value for name, value in values.items() if name != "id" and hasattr(row, name)}
    return model._base_manager.bulk_create([model(**values | columns)])[0]


def replace(row: models.Model, *kept: str) -> None:
    """INSERT OR REPLACE a copy of `row` that shares only the columns `kept`; PostgreSQL knows plain INSERT alone."""
    table = row._meta.db_table
    fresh: dict[str, Any] = {"id": 1_000_000, "uid": uuid.uuid4(), "name": make.a_name("copy"), "supersedes_id": None}
    columns = list(row._meta.concrete_fields)
    changed = [column for column in columns if column.attname in fresh and column.attname not in kept]
    selected = ", ".join("%s" if column in changed else str(column.column) for column in columns)
    names = ", ".join(str(column.column) for column in columns)
    verb = "INSERT OR REPLACE" if connection.vendor == SQLITE else "INSERT"
    with connection.cursor() as cursor:
        cursor.execute(
            f"{verb} INTO {table} ({names}) SELECT {selected} FROM {table} WHERE id = %s",
            [*(column.get_db_prep_save(fresh[column.attname], connection) for column in changed), row.pk],
        )


def execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def empty(row: models.Model) -> None:
    table = row._meta.db_table
    execute(f"DELETE FROM {table}" if connection.vendor == SQLITE else f"TRUNCATE {table} CASCADE")


@dataclass(frozen=True)
class Attack:
    """A write past the services.

    `lifting` names the guards that would refuse it earlier, `says` what an engine answers where it does not
    name what is attacked.
    """

    on: Callable[[World], object]
    lifting: tuple[str, ...] = ()
    says: dict[str, str] = field(default_factory=dict)


LATER, EARLIER = F("established_at") + timedelta(hours=1), F("established_at") - timedelta(hours=1)
A_KEY = {"postgresql": "duplicate key"}
HOUR = timedelta(hours=1)


def _unique(*columns: str) -> dict[str, str]:
    return {SQLITE: f"UNIQUE constraint failed: {', '.join(columns)}"}


def _binding_of_unbound(w: World, phase: str = "Active", **columns: Any) -> Any:
    """A binding of the project that has none: one hour of responsibility, one hour after the active one began."""
    start = w.active.established_at + HOUR
    given: dict[str, Any] = {"project_id": w.unbound.pk, "supersedes_id": None, "established_at": start}
    if phase != "Active":
        given |= {"ended_at": start + HOUR, "end_reason": phase}
    return insert(w.active, **given | {"phase": phase} | columns)


def _superseded_of_unbound(w: World) -> Any:
    return _binding_of_unbound(w, "Superseded")


_TIME_LINE = ("binding_follows_previous", "binding_continues_superseded")

ATTACKS: dict[str, list[Attack]] = {
    "binding_identity_fixed": [
        Attack(lambda w: update(w.active, id=1_000_000)),
        Attack(lambda w: update(w.active, uid=uuid.uuid4())),
        Attack(lambda w: update(w.active, name="renamed")),
        Attack(lambda w: update(w.active, organization=w.other)),
        Attack(lambda w: update(w.active, project=w.unbound)),
        Attack(lambda w: update(w.active, account=w.before)),
        Attack(lambda w: update(w.active, established_at=EARLIER)),
        Attack(lambda w: update(w.active, supersedes=None)),
        Attack(lambda w: update(w.superseded, account=w.payer)),
    ],
    "binding_end_fixed": [
        Attack(lambda w: update(w.superseded, phase="Active", ended_at=None, end_reason="")),
        Attack(lambda w: update(w.superseded, phase="Ended")),
        Attack(lambda w: update(w.superseded, ended_at=LATER)),
        Attack(lambda w: update(w.superseded, end_reason="Forgotten")),
    ],
    "binding_never_deleted": [
        Attack(lambda w: execute(f"DELETE FROM billing_billingaccountbinding WHERE id = {w.active.pk}")),
        Attack(lambda w: empty(w.active)),
    ],
    "binding_never_replaced": [
        Attack(lambda w: replace(w.superseded, "id"), _TIME_LINE, says=A_KEY),
        Attack(lambda w: replace(w.superseded, "uid"), _TIME_LINE, says=A_KEY),
        Attack(lambda w: replace(w.superseded, "name"), _TIME_LINE, says=A_KEY),
        Attack(lambda w: replace(w.active, "supersedes_id"), _TIME_LINE, says=A_KEY),
    ],
    "binding_one_organization": [
        Attack(lambda w: _binding_of_unbound(w, project_id=w.theirs.pk)),
        Attack(lambda w: _binding_of_unbound(w, organization_id=w.other.pk)),
        Attack(lambda w: _binding_of_unbound(w, account_id=w.their_account.pk)),
    ],
    "binding_needs_ready": [
        Attack(lambda w: _binding_of_unbound(w, account_id=w.incomplete.pk)),
        Attack(lambda w: [update(w.before, phase="Suspended"), _binding_of_unbound(w, account_id=w.before.pk)]),
        Attack(lambda w: [update(w.unbound, phase="Archived"), _binding_of_unbound(w)]),
    ],
    "binding_follows_previous": [
        Attack(lambda w: insert(w.active, supersedes_id=None, established_at=w.active.established_at + HOUR)),
        Attack(lambda w: [_superseded_of_unbound(w), _binding_of_unbound(w)]),
    ],
    "binding_continues_superseded": [
        Attack(
            lambda w: _binding_of_unbound(
                w,
                supersedes_id=(old := _superseded_of_unbound(w)).pk,
                established_at=old.ended_at + timedelta(microseconds=1),
            )
        ),
        Attack(
            lambda w: _binding_of_unbound(w, supersedes_id=w.superseded.pk, established_at=w.superseded.ended_at),
            lifting=("binding_never_replaced",),
        ),
    ],
    "binding_no_overlap": [
        Attack(
            lambda w: [_superseded_of_unbound(w), _binding_of_unbound(w)],
            lifting=() if connection.vendor == SQLITE else ("binding_follows_previous",),
            says={SQLITE: "binding_follows_previous"},
        ),
    ],
    "binding_one_active": [
        Attack(
            lambda w: insert(w.active, supersedes_id=None, established_at=w.active.established_at + HOUR),
            lifting=("binding_follows_previous", "binding_no_overlap"),
            says=_unique("billing_billingaccountbinding.project_id"),
        ),
    ],
    "binding_name_in_organization": [
        Attack(
            lambda w: _binding_of_unbound(w, name=w.active.name),
            lifting=("binding_never_replaced",),
            says=_unique("billing_billingaccountbinding.organization_id", "billing_billingaccountbinding.name"),
        ),
    ],
    "binding_known_phase": [
        Attack(lambda w: update(w.active, phase="Imaginary", ended_at=LATER, end_reason="Imaginary")),
    ],
    "binding_ended_unless_active": [
        Attack(lambda w: update(w.active, phase="Ended")),
        Attack(lambda w: update(w.active, ended_at=LATER)),
    ],
    "binding_ends_after_start": [
        Attack(lambda w: update(w.active, phase="Ended", ended_at=F("established_at"))),
        Attack(lambda w: update(w.active, phase="Ended", ended_at=EARLIER)),
    ],
    "account_identity_fixed": [
        Attack(lambda w: update(w.payer, id=1_000_000)),
        Attack(lambda w: update(w.payer, uid=uuid.uuid4())),
        Attack(lambda w: update(w.payer, name="renamed")),
        Attack(lambda w: update(w.payer, organization=w.other)),
        Attack(lambda w: update(w.payer, created_at=F("created_at") - HOUR)),
    ],
    "account_currency_fixed": [
        Attack(lambda w: update(w.payer, currency_code="EUR")),
        Attack(lambda w: update(w.payer, currency_code="")),
        Attack(lambda w: update(w.payer, first_ready_at=None)),
        Attack(lambda w: update(w.payer, first_ready_at=F("first_ready_at") - HOUR)),
    ],
    "account_never_deleted": [
        Attack(lambda w: execute(f"DELETE FROM billing_billingaccount WHERE id = {w.incomplete.pk}")),
        Attack(lambda w: empty(w.payer), lifting=("binding_never_deleted",)),
    ],
    "account_never_replaced": [
        Attack(lambda w: replace(w.payer, "id"), says=A_KEY),
        Attack(lambda w: replace(w.payer, "uid"), says=A_KEY),
        Attack(lambda w: replace(w.payer, "name"), says=A_KEY),
    ],
    "account_closed_while_paying": [
        Attack(lambda w: update(w.payer, phase="Closed")),
        Attack(lambda w: update(w.payer, phase="Archived")),
    ],
    "account_name_in_organization": [
        Attack(
            lambda w: insert(w.payer, name=w.before.name),
            lifting=("account_never_replaced",),
            says=_unique("billing_billingaccount.organization_id", "billing_billingaccount.name"),
        ),
    ],
    "account_known_phase": [Attack(lambda w: update(w.before, phase="Imaginary"))],
    "account_invoice_day_1_to_28": [
        Attack(lambda w: update(w.payer, invoice_day_of_month=0)),
        Attack(lambda w: update(w.payer, invoice_day_of_month=29)),
    ],
    "account_net_days_0_to_365": [Attack(lambda w: update(w.payer, net_days=366))],
    "account_ready_has_currency_and_profile": [
        Attack(lambda w: update(w.incomplete, phase="Ready")),
        Attack(lambda w: update(w.incomplete, phase="Suspended")),
        Attack(lambda w: update(w.payer, payment_profile=None)),
        Attack(lambda w: update(w.payer, currency_code=""), lifting=("account_currency_fixed",)),
        Attack(lambda w: update(w.payer, first_ready_at=None), lifting=("account_currency_fixed",)),
    ],
    "organization_identity_fixed": [
        Attack(lambda w: update(w.organization, id=1_000_000)),
        Attack(lambda w: update(w.organization, uid=uuid.uuid4())),
        Attack(lambda w: update(w.organization, name="renamed")),
        Attack(lambda w: update(w.organization, created_at=F("created_at") - HOUR)),
    ],
    "organization_never_deleted": [
        Attack(lambda w: execute(f"DELETE FROM projects_organization WHERE id = {w.empty.pk}")),
        Attack(
            lambda w: empty(w.organization),
            lifting=("project_never_deleted", "account_never_deleted", "binding_never_deleted"),
        ),
    ],
    "organization_never_replaced": [
        Attack(lambda w: replace(w.organization, "id"), says=A_KEY),
        Attack(lambda w: replace(w.organization, "uid"), says=A_KEY),
        Attack(lambda w: replace(w.organization, "name"), says=A_KEY),
    ],
    "organization_known_phase": [Attack(lambda w: update(w.organization, phase="Imaginary"))],
    "project_identity_fixed": [
        Attack(lambda w: update(w.project, id=1_000_000)),
        Attack(lambda w: update(w.project, uid=uuid.uuid4())),
        Attack(lambda w: update(w.project, name="renamed")),
        Attack(lambda w: update(w.project, organization=w.other)),
        Attack(lambda w: update(w.project, created_at=F("created_at") - HOUR)),
    ],
    "project_never_deleted": [
        Attack(lambda w: execute(f"DELETE FROM projects_project WHERE id = {w.unbound.pk}")),
        Attack(lambda w: empty(w.project), lifting=("binding_never_deleted",)),
    ],
    "project_never_replaced": [
        Attack(lambda w: replace(w.project, "id"), says=A_KEY),
        Attack(lambda w: replace(w.project, "uid"), says=A_KEY),
        Attack(lambda w: replace(w.project, "name"), says=A_KEY),
    ],
    "project_known_phase": [Attack(lambda w: update(w.unbound, phase="Imaginary"))],
    "project_archived_while_paid": [Attack(lambda w: update(w.project, phase="Archived"))],
    "membership_once": [
        Attack(
            lambda w: insert(w.membership),
            says=_unique(
                "projects_membership.user_id", "projects_membership.organization_id", "projects_membership.role"
            ),
        ),
    ],
    "membership_known_role": [Attack(lambda w: update(w.membership, role="owner"))],
    "kube_counter_single_row": [Attack(lambda w: Counter.objects.bulk_create([Counter(pk=2, value=0)]))],
}
