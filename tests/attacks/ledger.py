"""Attacks on who pays for what: organizations, projects, accounts, bindings."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import connection
from django.db.models import F
from django.utils import timezone

from billing.models import DefaultAccount, PayerLock
from billing.services.default_accounts import set_default
from billing.services.payer_locks import lock_payer, unlock_payer
from billing.services.projects import archive_project
from milo.kube.models import Counter
from projects.models import Membership
from projects.services.organizations import OrganizationSpec
from tests.attacks.machinery import (
    EARLIER,
    HOUR,
    LATER,
    MOMENT,
    SQLITE,
    Attack,
    changes,
    delete,
    deletions,
    empty,
    insert,
    replace,
    replacements,
    unique,
    update,
)
from tests.support import make


class World:
    """An organization with a project that has changed its payer once, and what an attacker finds beside it."""

    def __init__(self) -> None:
        self.organization, self.other = make.an_organization(), make.an_organization()
        self.project, self.unbound = make.a_project(self.organization), make.a_project(self.organization)
        self.archived = archive_project(make.a_project(self.organization).pk, actor=make.PLATFORM)
        self.theirs, self.their_account = make.a_project(self.other), make.a_ready_account(self.other)
        self.empty = make.an_organization()
        self.before, self.payer = (make.a_ready_account(self.organization) for _ in range(2))
        self.incomplete = make.an_incomplete_account(self.organization)
        self.superseded = make.a_binding(self.project, self.before)
        self.active = make.a_binding(self.project, self.payer)
        self.locked = make.a_project(self.organization)
        self.kept = make.a_binding(self.locked, self.payer)
        for reason in ("audited", "regulated"):
            lock_payer(self.locked.pk, reason=reason, actor=make.PLATFORM)
            if reason == "audited":
                unlock_payer(self.locked.pk, reason="audit is over", actor=make.PLATFORM)
        self.unlocked, self.lock = PayerLock.objects.order_by("pk")
        self.default_payer = make.a_ready_account(self.organization)
        set_default(self.organization.pk, OrganizationSpec(), self.default_payer.name, actor=make.PLATFORM)
        self.default = DefaultAccount.objects.get()
        self.closed_payer = make.in_phase(make.a_ready_account(self.organization), "Closed")
        self.their_closed = make.in_phase(make.a_ready_account(self.other), "Closed")
        person = make.a_person(roles={self.organization: "billing-viewer"})
        self.membership, self.stranger = Membership.objects.get(user=person), make.a_person()
        # triggers that wait for the end of the transaction keep PostgreSQL from changing a table before it
        connection.check_constraints()


def _binding_of_unbound(w: World, phase: str = "Active", **columns: Any) -> Any:
    """A binding of the project that has none: ten seconds of responsibility, ten seconds after the active one began."""
    start = w.active.established_at + MOMENT
    given: dict[str, Any] = {"project_id": w.unbound.pk, "supersedes_id": None, "established_at": start}
    if phase != "Active":
        given |= {"ended_at": start + MOMENT, "end_reason": phase}
    return insert(w.active, **given | {"phase": phase} | columns)


def _default_of_other(w: World, **columns: Any) -> Any:
    """A default account of the organization that has none."""
    return insert(w.default, **{"organization_id": w.other.pk, "account_id": w.their_account.pk} | columns)


def _in_the_future(on: Callable[[World], object]) -> Attack:
    """An instant ahead of PostgreSQL's clock. SQLite is one machine with one clock, so it has no such guard."""
    return Attack(on, only="postgresql")


def _superseded_of_unbound(w: World) -> Any:
    return _binding_of_unbound(w, "Superseded")


_TIME_LINE = ("binding_follows_previous", "binding_continues_superseded")
BEFORE = F("created_at") - HOUR
# guards of what refers to accounts, which TRUNCATE ... CASCADE meets as well
_OF_ACCOUNTS = tuple(f"{kind}_never_deleted" for kind in ("binding", "suspension", "approval", "hold", "charge"))

ATTACKS: dict[str, list[Attack]] = {
    "binding_identity_fixed": [
        *changes(
            "active",
            id=1_000_000,
            uid=uuid.uuid4(),
            name="renamed",
            organization=lambda w: w.other,
            project=lambda w: w.unbound,
            account=lambda w: w.before,
            supersedes=None,
        ),
        *changes("superseded", account=lambda w: w.payer),
    ],
    "binding_start_fixed": [
        Attack(lambda w: update(w.active, established_at=EARLIER), lifting=("binding_start_in_line",)),
        *changes("superseded", established_at=EARLIER),
    ],
    "binding_start_in_line": [
        Attack(lambda w: update(w.active, established_at=EARLIER), lifting=("binding_start_fixed",)),
        Attack(lambda w: update(w.active, established_at=LATER), lifting=("binding_start_fixed",)),
    ],
    "binding_end_fixed": [
        Attack(lambda w: update(w.superseded, phase="Active", ended_at=None, end_reason="")),
        *changes("superseded", phase="Ended", ended_at=LATER, end_reason="Forgotten"),
    ],
    "binding_never_deleted": deletions("active"),
    "binding_never_replaced": [
        *replacements("superseded", ("id",), ("uid",), ("name",), lifting=_TIME_LINE),
        *replacements("active", ("supersedes_id",), lifting=_TIME_LINE),
    ],
    "default_account_identity_fixed": changes("default", id=1_000_000, organization=lambda w: w.other),
    "default_account_open": [
        Attack(lambda w: _default_of_other(w, account_id=w.payer.pk)),
        Attack(lambda w: _default_of_other(w, account_id=w.their_closed.pk)),
    ],
    "default_account_stays_open": [
        *changes("default", account=lambda w: w.their_account),
        *changes("default", account=lambda w: w.closed_payer),
    ],
    "default_account_never_deleted": deletions("default"),
    "default_account_never_replaced": replacements("default", ("id",), ("organization_id",)),
    "default_account_since_an_instant": [
        *changes("default", account=None, since=None),
        Attack(lambda w: _default_of_other(w, since=None)),
    ],
    "account_closed_while_default": changes("default_payer", phase="Archived"),
    "binding_not_locked": [
        Attack(lambda w: _binding_of_unbound(w, project_id=w.locked.pk), ("binding_follows_previous",)),
        Attack(
            lambda w: _binding_of_unbound(w, "Superseded", project_id=w.locked.pk, account_id=w.before.pk),
            ("binding_follows_previous",),
        ),
    ],
    "binding_not_ended_while_locked": [
        Attack(lambda w: update(w.kept, phase="Ended", ended_at=timezone.now(), end_reason="ProjectArchived")),
        *changes("kept", phase="Superseded", ended_at=LATER),
    ],
    "payer_lock_identity_fixed": changes(
        "lock",
        id=1_000_000,
        uid=uuid.uuid4(),
        project=lambda w: w.project,
        reason="none",
        locked_at=F("locked_at") - HOUR,
        locked_by="user:nobody",
    ),
    "payer_lock_end_fixed": [
        Attack(lambda w: update(w.unlocked, unlocked_at=None, unlocked_by="", unlock_reason="")),
        *changes("unlocked", unlocked_at=F("unlocked_at") - HOUR, unlocked_by="user:nobody", unlock_reason="none"),
    ],
    "payer_lock_never_deleted": deletions("lock"),
    "payer_lock_never_replaced": replacements("unlocked", ("id",), ("uid",), lifting=("payer_lock_not_repeated",)),
    "payer_lock_not_repeated": [Attack(lambda w: insert(w.lock)), Attack(lambda w: replace(w.lock))],
    "payer_lock_of_paid": [
        Attack(lambda w: insert(w.lock, project_id=w.unbound.pk)),
        Attack(lambda w: insert(w.lock, project_id=w.archived.pk)),
    ],
    "payer_lock_one_open": [
        Attack(
            lambda w: insert(w.lock),
            lifting=("payer_lock_not_repeated",),
            says=unique("billing_payerlock.project_id"),
        ),
    ],
    "payer_lock_by_someone_for_a_reason": [
        Attack(lambda w: insert(w.lock, project_id=w.project.pk, reason="")),
        Attack(lambda w: insert(w.lock, project_id=w.project.pk, locked_by="")),
    ],
    "payer_lock_unlocked_by_someone_for_a_reason": [
        *changes("lock", unlocked_at=lambda w: timezone.now(), unlocked_by="user:nobody", unlock_reason="none"),
        Attack(lambda w: update(w.lock, unlocked_at=timezone.now(), unlocked_by="user:nobody")),
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
        Attack(lambda w: insert(w.active, supersedes_id=None, established_at=w.active.established_at + MOMENT)),
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
    "binding_start_not_ahead": [
        _in_the_future(lambda w: _binding_of_unbound(w, established_at=timezone.now() + HOUR)),
        _in_the_future(
            lambda w: _binding_of_unbound(w, "Superseded", ended_at=timezone.now() + 14 * HOUR),
        ),
    ],
    "binding_end_not_ahead": [
        _in_the_future(lambda w: update(w.active, phase="Ended", ended_at=F("established_at") + HOUR)),
        _in_the_future(lambda w: update(w.active, phase="Ended", ended_at=timezone.now() + 5000 * HOUR)),
    ],
    "binding_one_active": [
        Attack(
            lambda w: insert(w.active, supersedes_id=None, established_at=w.active.established_at + MOMENT),
            lifting=("binding_follows_previous", "binding_no_overlap"),
            says=unique("billing_billingaccountbinding.project_id"),
        ),
    ],
    "binding_name_in_organization": [
        Attack(
            lambda w: _binding_of_unbound(w, name=w.active.name),
            lifting=("binding_never_replaced",),
            says=unique("billing_billingaccountbinding.organization_id", "billing_billingaccountbinding.name"),
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
    "account_identity_fixed": changes(
        "payer", id=1_000_000, uid=uuid.uuid4(), name="renamed", organization=lambda w: w.other, created_at=BEFORE
    ),
    "account_currency_fixed": [
        *changes("payer", currency_code="EUR", first_ready_at=F("first_ready_at") - HOUR),
        *changes("payer", currency_code="", first_ready_at=None),
    ],
    "account_never_deleted": deletions("payer", *_OF_ACCOUNTS),
    "account_never_replaced": replacements("payer", ("id",), ("uid",), ("name", "organization_id")),
    "account_closed_while_paying": [*changes("payer", phase="Closed"), *changes("payer", phase="Archived")],
    "account_name_in_organization": [
        Attack(
            lambda w: insert(w.payer, name=w.before.name),
            lifting=("account_never_replaced",),
            says=unique("billing_billingaccount.organization_id", "billing_billingaccount.name"),
        ),
    ],
    "account_known_phase": [Attack(lambda w: update(w.before, phase="Imaginary"))],
    "account_invoice_day_1_to_28": [
        Attack(lambda w: update(w.payer, invoice_day_of_month=0)),
        Attack(lambda w: update(w.payer, invoice_day_of_month=29)),
    ],
    "account_anchor_month_1_to_12": [
        Attack(lambda w: update(w.payer, anchor_month=0)),
        Attack(lambda w: update(w.payer, anchor_month=13)),
    ],
    "account_known_business_day_convention": [Attack(lambda w: update(w.payer, business_day_convention="Sometimes"))],
    "account_discount_whole": [
        Attack(lambda w: update(w.payer, discount_percent=2)),
        Attack(lambda w: update(w.payer, discount_days=10)),
        Attack(lambda w: update(w.payer, discount_percent=0, discount_days=10)),
        Attack(lambda w: update(w.payer, discount_percent=100, discount_days=10)),
        Attack(lambda w: update(w.payer, discount_percent=2, discount_days=30)),
    ],
    "account_penalty_whole": [
        Attack(lambda w: update(w.payer, penalty_percent=9)),
        Attack(lambda w: update(w.payer, penalty_grace_days=5)),
        Attack(lambda w: update(w.payer, penalty_percent=101, penalty_grace_days=5)),
        Attack(lambda w: update(w.payer, penalty_percent=9, penalty_grace_days=366)),
    ],
    "account_known_customer_kind": [Attack(lambda w: update(w.payer, customer_kind="friend"))],
    "account_compliance_since_an_instant": [Attack(lambda w: update(w.payer, compliance_reason="NoFindings"))],
    "account_expiry_since_an_instant": [Attack(lambda w: update(w.payer, expiry_reason="PaymentProfileExpired"))],
    "account_net_days_0_to_365": [Attack(lambda w: update(w.payer, net_days=366))],
    "account_ready_has_currency_and_profile": [
        Attack(lambda w: update(w.incomplete, phase="Ready")),
        Attack(lambda w: update(w.incomplete, phase="Suspended")),
        Attack(lambda w: update(w.payer, payment_profile=None)),
        Attack(lambda w: update(w.payer, currency_code=""), lifting=("account_currency_fixed",)),
        Attack(lambda w: update(w.payer, first_ready_at=None), lifting=("account_currency_fixed",)),
    ],
    "organization_identity_fixed": changes(
        "organization", id=1_000_000, uid=uuid.uuid4(), name="renamed", created_at=BEFORE
    ),
    "organization_never_deleted": deletions("empty", "project_never_deleted", "account_never_deleted", *_OF_ACCOUNTS),
    "organization_never_replaced": replacements("organization", ("id",), ("uid",), ("name",)),
    "organization_known_phase": changes("organization", phase="Imaginary"),
    "project_identity_fixed": changes(
        "project", id=1_000_000, uid=uuid.uuid4(), name="renamed", organization=lambda w: w.other, created_at=BEFORE
    ),
    "project_archived_fixed": changes("archived", phase="Active", phase_since=BEFORE),
    "project_never_deleted": deletions("unbound", "binding_never_deleted"),
    "project_never_replaced": replacements("project", ("id",), ("uid",), ("name",)),
    "project_known_phase": changes("unbound", phase="Imaginary"),
    "project_archived_while_paid": changes("project", phase="Archived"),
    "membership_once": [
        Attack(
            lambda w: insert(w.membership),
            lifting=("membership_never_replaced",),
            says=unique(
                "projects_membership.user_id", "projects_membership.organization_id", "projects_membership.role"
            ),
        ),
    ],
    "membership_known_role": [Attack(lambda w: update(w.membership, role="owner"), lifting=("membership_fixed",))],
    "membership_fixed": changes(
        "membership",
        id=1_000_000,
        user_id=lambda w: w.stranger.pk,
        organization=lambda w: w.other,
        role="billing-admin",
    ),
    "membership_revoked_with_history": [Attack(lambda w: delete(w.membership))],
    "membership_revoked_with_history_not_emptied": [
        Attack(lambda w: empty(w.membership), says={SQLITE: "membership_revoked_with_history"})
    ],
    "membership_never_replaced": replacements("membership", ("id",), ("user_id", "organization_id", "role")),
    "kube_counter_single_row": [Attack(lambda w: Counter.objects.bulk_create([Counter(pk=2, value=0)]))],
}
