"""Attacks on the life of an account after Ready: suspensions, approvals, closure, holds, charges, notices."""

import uuid
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import F
from django.utils import timezone

from billing.models import BillingAccount, Notice, NoticeOutcome, Suspension
from billing.reason_codes import EVIDENCE
from billing.services.approvals.requests import request_approval
from billing.services.charges import ChargeSpec, report_charge, settle_charge
from billing.services.holds import set_hold
from billing.services.suspensions import resolve
from tests.attacks.machinery import HOUR, Attack, changes, deletions, insert, replacements, unique, update
from tests.support import make


class World:
    """Accounts in every phase after Ready, with a row of each kind that is open and one that is not."""

    def __init__(self) -> None:
        self.organization, self.other = make.an_organization(), make.an_organization()
        self.ready, self.suspended, self.closed, self.archived = (
            make.a_ready_account(self.organization, invoice_email_addresses=["a@acme-corp.example"]) for _ in range(4)
        )
        self.foreign = make.a_ready_account(self.other)
        self.suspension, self.resolved = self._suspensions()
        for account, phase in ((self.closed, "Closed"), (self.archived, "Archived")):
            make.in_phase(account, phase)
        self.pending = request_approval(
            self.organization.pk, self.ready.name, "Close", justification="agreed", actor=make.REQUESTER
        )
        self.hold, self.released = (
            set_hold(self.ready.pk, type="LegalHold", message="a court asks", actor=make.PLATFORM) for _ in range(2)
        )
        self.decided = make.an_approved(self.ready, "ReleaseHold", proposal={"hold": str(self.released.uid)})
        self.charge, self.settled = (
            report_charge(
                self.organization.pk,
                self.ready.name,
                ChargeSpec(make.a_name("external"), Decimal("10.50"), "USD", date(2026, 12, 1)),
                actor=make.PLATFORM,
            )
            for _ in range(2)
        )
        settle_charge(self.settled.pk, reference="bank-1", actor=make.PLATFORM)
        self.notice = Notice.objects.earliest("pk")
        self.outcome = NoticeOutcome.objects.create(
            notice=Notice.objects.latest("pk"), phase="Dead", at=timezone.now(), attempts=6, actor="system:test"
        )
        # triggers that wait for the end of the transaction keep PostgreSQL from changing a table before it
        connection.check_constraints()

    def _suspensions(self) -> list[Suspension]:
        for _ in range(2):
            make.in_phase(self.suspended, BillingAccount.Phase.SUSPENDED)
        open_one, resolved = Suspension.objects.filter(account=self.suspended).order_by("pk")
        evidence = dict.fromkeys(EVIDENCE[resolved.reason_code].references, "ref-1")
        resolve(self.suspended.pk, resolved.uid, evidence=evidence, actor=make.PLATFORM)
        return [open_one, resolved]


def _now(_world: World) -> Any:
    return timezone.now()


def _deliver(w: World) -> int:
    return update(w.notice, phase="Delivered", delivered_at=timezone.now())


def _earlier(column: str) -> Any:
    return F(column) - HOUR


def _dated_twice(world: Any) -> None:
    for day in (date(2036, 1, 11), date(2027, 1, 1)):
        update(world.archived, purge_on=day)


ATTACKS: dict[str, list[Attack]] = {
    "account_closed_fixed": [
        *changes("closed", display_name="Renamed", net_days=60, labels={"tier": "gold"}, payment_profile=None),
        *changes("archived", display_name="Renamed", invoice_email_addresses=[]),
    ],
    "account_archived_fixed": [
        Attack(lambda w: update(w.archived, phase="Closed", archived_at=None)),
        *changes("archived", closed_at=_earlier("closed_at"), archived_at=_earlier("archived_at")),
    ],
    "account_archive_fixed": changes("archived", archive_sha256="0" * 64),
    "account_purge_date_never_earlier": [Attack(_dated_twice)],
    "account_pseudonymised_while_held": changes("ready", pseudonymised_on=date(2036, 1, 11)),
    "account_pseudonymised_when_due": changes("archived", pseudonymised_on=date(2036, 1, 11)),
    "account_ready_while_suspended": changes("suspended", phase="Ready"),
    "account_closed_at_an_instant": [
        *changes("ready", phase="Closed", closed_at=_now, closed_from="Ready"),
        *changes("closed", closed_at=None, closed_from=""),
    ],
    "account_archived_at_an_instant": [
        *changes("closed", phase="Archived", archived_at=_now),
        *changes("ready", archived_at=_now),
    ],
    "suspension_of_suspended": [
        Attack(lambda w: insert(w.suspension, account_id=w.ready.pk)),
        Attack(lambda w: insert(w.suspension, account_id=w.closed.pk)),
    ],
    "suspension_identity_fixed": changes(
        "suspension",
        id=1_000_000,
        uid=uuid.uuid4(),
        account=lambda w: w.ready,
        reason_code="LegalHold",
        message="nothing",
        suspended_at=_earlier("suspended_at"),
        suspended_by="user:nobody",
        payment_profile={},
    ),
    "suspension_resolution_fixed": [
        Attack(lambda w: update(w.resolved, resolved_at=None, resolved_by="", evidence=None)),
        *changes("resolved", resolved_at=_earlier("resolved_at"), resolved_by="user:nobody", evidence={}),
    ],
    "suspension_never_deleted": deletions("suspension"),
    "suspension_never_replaced": replacements("suspension", ("id",), ("uid",)),
    "suspension_known_reason_code": [Attack(lambda w: insert(w.suspension, reason_code="Imaginary"))],
    "suspension_resolved_by_someone_with_evidence": changes("suspension", resolved_at=_now, resolved_by="user:nobody"),
    "approval_identity_fixed": changes(
        "pending",
        id=1_000_000,
        uid=uuid.uuid4(),
        name="renamed",
        organization=lambda w: w.other,
        account=lambda w: w.closed,
        act="Reopen",
        requester="user:nobody",
        requested_at=_earlier("requested_at"),
        proposal={"hold": "another"},
        justification="none",
    ),
    "approval_decision_fixed": [
        Attack(lambda w: update(w.decided, phase="Pending", decided_at=None, decider="")),
        *changes(
            "decided",
            phase="Rejected",
            decider="user:nobody",
            decided_at=_earlier("decided_at"),
            comment="changed",
            taken_over_by="user:nobody",
            last_editor="user:nobody",
            editors="\nuser:nobody\n",
            reviewed={},
            reviewed_hash="0",
            expires_at=_earlier("expires_at"),
        ),
    ],
    "approval_never_deleted": deletions("pending"),
    "approval_never_replaced": [
        *replacements("decided", ("id",), ("uid",), ("organization_id", "name")),
        *replacements("pending", ("account_id", "act", "phase")),
    ],
    "approval_known_phase": [
        Attack(lambda w: update(w.pending, phase="Imaginary", decider="user:approver", decided_at=timezone.now())),
    ],
    "approval_name_in_organization": [
        Attack(
            lambda w: insert(w.decided, name=w.pending.name),
            lifting=("approval_never_replaced",),
            says=unique("billing_approvalrequest.organization_id", "billing_approvalrequest.name"),
        ),
    ],
    "approval_one_pending_of_account": [
        Attack(
            lambda w: insert(w.pending),
            lifting=("approval_never_replaced",),
            says=unique("billing_approvalrequest.account_id", "billing_approvalrequest.act"),
        ),
    ],
    "approval_one_pending_of_project": [
        Attack(
            lambda w: [insert(w.pending, act="CorrectPayer", proposal={"project": "shop"}) for _ in range(2)],
            lifting=("approval_never_replaced", "approval_one_correction_of_project"),
            says=unique("index 'approval_one_pending_of_project'"),
        ),
    ],
    "approval_four_eyes": [
        Attack(lambda w: update(w.pending, phase="Approved", decider=w.pending.requester, decided_at=timezone.now())),
        Attack(
            lambda w: update(
                w.pending,
                phase="Approved",
                decider="user:editor",
                last_editor="user:editor",
                decided_at=timezone.now(),
            )
        ),
        Attack(
            lambda w: update(
                w.pending,
                phase="Approved",
                decider="user:editor",
                editors="\nuser:another\n\nuser:editor\n",
                decided_at=timezone.now(),
            )
        ),
        Attack(
            lambda w: update(
                w.pending,
                phase="Approved",
                decider="user:heir",
                taken_over_by="user:heir",
                decided_at=timezone.now(),
            )
        ),
    ],
    "approval_decided_by_someone": [
        *changes("pending", phase="Expired", decided_at=_now, decider="user:approver"),
        Attack(lambda w: update(w.pending, phase="Expired", decided_at=timezone.now())),
    ],
    "approval_no_needs_comment": [
        Attack(lambda w: update(w.pending, phase="Rejected", decider="user:a", decided_at=timezone.now())),
        Attack(lambda w: update(w.pending, phase="Withdrawn", decider="user:a", decided_at=timezone.now())),
    ],
    "hold_identity_fixed": changes(
        "hold",
        id=1_000_000,
        uid=uuid.uuid4(),
        account=lambda w: w.suspended,
        type="Dispute",
        reason="none",
        set_at=_earlier("set_at"),
        set_by="user:nobody",
    ),
    "hold_release_fixed": [
        Attack(lambda w: update(w.released, released_at=None, released_by="", release_reason="")),
        *changes("released", released_at=_earlier("released_at"), released_by="user:nobody", release_reason="none"),
    ],
    "hold_never_deleted": deletions("hold"),
    "hold_never_replaced": replacements("hold", ("id",), ("uid",)),
    "hold_known_type": [Attack(lambda w: insert(w.hold, type="Imaginary"))],
    "hold_released_by_someone_for_a_reason": [
        *changes("hold", released_at=_now, released_by="user:nobody"),
        Attack(lambda w: update(w.hold, released_at=timezone.now(), released_by="user:nobody")),
    ],
    "charge_identity_fixed": changes(
        "charge",
        id=1_000_000,
        uid=uuid.uuid4(),
        name="renamed",
        organization=lambda w: w.other,
        account=lambda w: w.suspended,
        external_id="another",
        amount=Decimal("1.00"),
        currency_code="EUR",
        due_date=date(2027, 1, 1),
        sub_account=lambda w: w.suspended,
        month=date(2026, 11, 1),
    ),
    "charge_whole_month": [Attack(lambda w: insert(w.charge, external_id="another", month=date(2026, 11, 2)))],
    "charge_one_organization": [
        Attack(lambda w: insert(w.charge, external_id="another", sub_account_id=w.foreign.pk)),
    ],
    "charge_settlement_fixed": [
        Attack(lambda w: update(w.settled, settled_at=None, settlement_reference="")),
        *changes("settled", settled_at=_earlier("settled_at"), settlement_reference="bank-2"),
    ],
    "charge_never_deleted": deletions("charge"),
    "charge_never_replaced": replacements(
        "charge", ("id",), ("uid",), ("organization_id", "name"), ("account_id", "external_id")
    ),
    "charge_name_in_organization": [
        Attack(
            lambda w: insert(w.charge, name=w.charge.name, external_id="another"),
            lifting=("charge_never_replaced",),
            says=unique("billing_charge.organization_id", "billing_charge.name"),
        ),
    ],
    "charge_once": [
        Attack(
            lambda w: insert(w.charge),
            lifting=("charge_never_replaced",),
            says=unique("billing_charge.account_id", "billing_charge.external_id"),
        ),
    ],
    "charge_amount_positive": [
        Attack(lambda w: insert(w.charge, external_id="another", amount=Decimal(0))),
        Attack(lambda w: insert(w.charge, external_id="another", amount=Decimal("-0.01"))),
    ],
    "charge_settled_with_reference": changes("charge", settled_at=_now, settlement_reference="bank-3"),
    "notice_never_deleted": deletions("notice"),
    "notice_never_replaced": replacements("notice", ("id",), ("uid",)),
    "notice_identity_fixed": [
        *changes(
            "notice",
            id=1_000_000,
            uid=uuid.uuid4(),
            about="Closed",
            channel="letter",
            account=lambda w: w.closed,
            project_id=29_999,
            cause_uid=uuid.uuid4(),
            subject_uid=uuid.uuid4(),
            language="fr",
            created_at=lambda w: timezone.now() - HOUR,
            recipient="somebody@acme-corp.example",
            context={},
        ),
        Attack(lambda w: update(w.notice, recipient=f"purged-{w.notice.pk}@milo.invalid")),
    ],
    "notice_delivered_fixed": [
        Attack(lambda w: (_deliver(w), update(w.notice, delivered_at=timezone.now() - HOUR))),
        Attack(lambda w: (_deliver(w), update(w.notice, phase="Pending", delivered_at=None))),
    ],
    "notice_outcome_never_changed": changes(
        "outcome", phase="Delivered", actor="user:nobody", attempts=1, at=lambda w: timezone.now() - HOUR
    ),
    "notice_outcome_never_deleted": deletions("outcome"),
    "notice_outcome_never_replaced": replacements("outcome", ("id",)),
    "notice_owed_once": [
        Attack(
            lambda w: insert(w.notice),
            says=unique(
                "billing_notice.about",
                "billing_notice.cause_uid",
                "billing_notice.subject_uid",
                "billing_notice.recipient",
            ),
        ),
    ],
    "notice_delivered_has_time": [
        *changes("notice", phase="Delivered", delivered_at=lambda w: timezone.now() - timedelta(hours=1)),
        *changes("notice", phase="Imaginary"),
    ],
}
