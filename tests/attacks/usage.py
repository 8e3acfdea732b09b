"""Attacks on usage: events, their keys and intakes, meters, sums, closed months, assignments."""

import uuid
from datetime import date, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from billing.models import UsageEvent, UsageIntake, UsageKey, UsageMeter, UsageRollup
from billing.services.closed_months import close_month
from tests.attacks.machinery import SQLITE, Attack, changes, execute, insert, unique
from tests.support import make
from tests.support.usage import an_event, taken


class World:
    """A project with usage of last year, whose payer's months are closed, and of today, which are not."""

    def __init__(self) -> None:
        organization = make.an_organization()
        self.account, self.project = make.a_ready_account(organization), make.a_project(organization)
        self.other = make.a_project(organization)
        make.a_binding(self.project, self.account)
        taken(an_event(self.project), an_event(self.other))
        self.event, self.key = UsageEvent.objects.filter(project=self.project).get(), UsageKey.objects.earliest("time")
        self.intake, self.meter = UsageIntake.objects.get(), UsageMeter.objects.get()
        self.sum = UsageRollup.objects.filter(account=self.account, granularity="day").get()
        self.month = UsageRollup.objects.filter(account=self.account, granularity="month").get()
        self.closing = close_month(self.account.pk, date(2025, 12, 31), reason="invoiced", actor=make.PLATFORM)
        request, self.request = (make.a_request(each) for each in (self.account, make.a_ready_account(organization)))
        now = timezone.now()
        self.assignment = make.an_assignment(
            self.other, request, starts_at=now - timedelta(hours=2), ends_at=now - timedelta(hours=1)
        )
        self.payer, self.archived = (make.a_ready_account(organization) for _ in range(2))
        make.in_phase(self.archived, "Archived")
        self.foreign = make.a_project(make.an_organization())
        self.correction = make.a_payer_correction(self.project, self.payer)
        since = self.other.created_at
        span = {"since": since.isoformat(), "until": (since + timedelta(microseconds=1)).isoformat()}
        proposal = {"project": self.other.name, **span}
        self.pending = make.a_request(self.payer, "CorrectPayer", proposal=proposal)
        # triggers that wait for the end of the transaction keep PostgreSQL from changing a table before it
        connection.check_constraints()


CLOSED_MONTH = date(2025, 12, 1)
_ASSIGNED = ("usage_assignment_never_replaced", "usage_assignment_given_once")
_CLOSED = ("usage_closed_figure_added", "usage_closed_figure_changed", "usage_closed_figure_deleted")


def _copy(w: World, row: Any, **columns: Any) -> Any:
    """Write a copy of `row` beside it."""
    model = type(row)
    values = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields if field.name != "id"}
    return model._base_manager.bulk_create([model(**values | columns)])[0]


def _sql(verb: str, table: str, only: str = "TRUE") -> Attack:
    return Attack(lambda w: execute(f"{verb} {table} WHERE {only}"))


def _empty(table: str) -> Attack:
    return Attack(
        lambda w: execute(f"DELETE FROM {table}" if connection.vendor == SQLITE else f"TRUNCATE {table} CASCADE")
    )


def _replaced(table: str, *lifting: str) -> Attack:
    verb = "INSERT OR REPLACE" if connection.vendor == SQLITE else "INSERT"
    return Attack(
        lambda w: execute(f"{verb} INTO {table} SELECT * FROM {table}"), lifting, {"postgresql": "duplicate key"}
    )


def _closed(w: World) -> Any:
    """A figure of a month that is closed, written while nobody looked."""
    return _copy(w, w.sum, starts_on=CLOSED_MONTH, billed_in=CLOSED_MONTH)


def _assigned_again(w: World, **span: Any) -> Any:
    """The span of the assignment, or one that overlaps it, given away a second time."""
    return _copy(w, w.assignment, request_id=w.request.pk, **span)


def _corrected_again(w: World, **columns: Any) -> Any:
    """A second correction beside the first, for a request of its own, now."""
    return _copy(w, w.correction, **{"request_id": w.request.pk, "recorded_at": timezone.now()} | columns)


def _overlapping(*lifting: str, says: dict[str, str] | None = None) -> list[Attack]:
    minute = timedelta(minutes=1)
    return [
        Attack(_assigned_again, lifting, says or {}),
        Attack(
            lambda w: _assigned_again(
                w, ends_at=w.assignment.starts_at + minute, starts_at=w.assignment.starts_at - minute
            ),
            lifting,
            says or {},
        ),
        Attack(
            lambda w: _assigned_again(
                w, starts_at=w.assignment.ends_at - minute, ends_at=w.assignment.ends_at + minute
            ),
            lifting,
            says or {},
        ),
    ]


ATTACKS: dict[str, list[Attack]] = {
    "usage_meter_never_changed": changes("meter", unit="By", name="other", service="other"),
    "usage_meter_once": [
        Attack(
            lambda w: _copy(w, w.meter),
            ("usage_meter_never_replaced",),
            unique("billing_usagemeter.service", "billing_usagemeter.name"),
        )
    ],
    "usage_intake_never_changed": changes("intake", reporter="user:nobody", received_at=timezone.now()),
    "usage_key_never_changed": changes("key", content=uuid.uuid4(), time=timezone.now()),
    "usage_event_never_changed": [
        _sql("UPDATE", "billing_usageevent SET quantity = '2'"),
        _sql("UPDATE", "billing_usageevent SET project_id = 0"),
    ],
    "usage_closing_never_changed": changes(
        "closing", reason="other", closed_by="user:nobody", opens_on=date(2027, 1, 1)
    ),
    "usage_closing_once": [
        Attack(
            lambda w: _copy(w, w.closing),
            ("usage_closing_never_replaced",),
            unique("billing_usageclosing.account_id", "billing_usageclosing.opens_on"),
        )
    ],
    "usage_assignment_never_changed": changes("assignment", starts_at=timezone.now() - timedelta(hours=9)),
    "usage_assignment_given_once": _overlapping(),
    "usage_assignment_no_overlap": _overlapping(
        *([] if connection.vendor == SQLITE else ["usage_assignment_given_once"]),
        says={SQLITE: "usage_assignment_given_once"},
    ),
    "usage_assignment_ends_after_start": [
        Attack(
            lambda w: _copy(w, w.assignment, ends_at=w.assignment.starts_at),
            _ASSIGNED,
        )
    ],
    "usage_assignment_of_the_past": [
        Attack(
            lambda w: _copy(w, w.assignment, ends_at=w.assignment.assigned_at + timedelta(seconds=1)),
            _ASSIGNED,
        )
    ],
    "usage_assignment_not_corrected": [
        Attack(
            lambda w: _assigned_again(
                w, project_id=w.project.pk, starts_at=w.correction.starts_at, ends_at=w.correction.ends_at
            )
        )
    ],
    "payer_correction_never_changed": changes(
        "correction",
        starts_at=timezone.now() - timedelta(hours=9),
        recorded_at=timezone.now(),
        account_id=lambda w: w.account.pk,
        project_id=lambda w: w.other.pk,
    ),
    "payer_correction_never_deleted": [
        _sql("DELETE FROM", "billing_payercorrection"),
        _empty("billing_payercorrection"),
    ],
    "payer_correction_never_replaced": [_replaced("billing_payercorrection", "payer_correction_recorded_last")],
    "payer_correction_approved": [
        Attack(_corrected_again),
        # of another account than the one that asked
        Attack(
            lambda w: _copy(w, w.correction, account_id=w.account.pk, recorded_at=timezone.now()),
            ("payer_correction_never_replaced",),
        ),
    ],
    "payer_correction_one_organization": [
        Attack(lambda w: _corrected_again(w, project_id=w.foreign.pk), ("payer_correction_approved",))
    ],
    "payer_correction_not_archived": [
        Attack(lambda w: _corrected_again(w, account_id=w.archived.pk), ("payer_correction_approved",))
    ],
    "payer_correction_recorded_last": [
        Attack(
            lambda w: _corrected_again(w, recorded_at=w.correction.ends_at),
            ("payer_correction_approved",),
        ),
        # into the figures of a closed month
        Attack(
            lambda w: _corrected_again(w, project_id=w.other.pk, recorded_at=w.closing.closed_at),
            ("payer_correction_approved",),
        ),
    ],
    "payer_correction_ends_after_start": [
        Attack(lambda w: _corrected_again(w, ends_at=w.correction.starts_at), ("payer_correction_approved",))
    ],
    "payer_correction_of_the_past": [
        Attack(
            lambda w: _corrected_again(w, ends_at=timezone.now() + timedelta(hours=1)),
            ("payer_correction_approved",),
        )
    ],
    "payer_correction_in_order": [
        Attack(
            lambda w: _corrected_again(w, recorded_at=w.correction.recorded_at),
            ("payer_correction_approved", "payer_correction_recorded_last", "payer_correction_never_replaced"),
            unique("billing_payercorrection.project_id", "billing_payercorrection.recorded_at"),
        )
    ],
    "approval_one_correction_of_project": [
        Attack(lambda w: insert(w.pending, account_id=w.account.pk)),
        Attack(lambda w: [insert(w.pending, name=name, act="RedateBindings") for name in ("one", "two")]),
    ],
    **{
        f"usage_{noun}_never_deleted": [_sql("DELETE FROM", f"billing_usage{noun}"), _empty(f"billing_usage{noun}")]
        for noun in ("meter", "intake", "key", "event", "closing", "assignment")
    },
    **{
        f"usage_{noun}_never_replaced": [_replaced(f"billing_usage{noun}")]
        for noun in ("meter", "intake", "key", "event", "closing")
    },
    "usage_assignment_never_replaced": [_replaced("billing_usageassignment", "usage_assignment_given_once")],
    "usage_rollup_once": [Attack(lambda w: _copy(w, w.sum), says={SQLITE: "usage_rollup_once"})],
    "usage_rollup_known_granularity": changes("month", granularity="week"),
    "usage_rollup_billed_afterwards": changes("month", starts_on=date(2999, 1, 1)),
    "usage_closed_figure_added": [Attack(_closed)],
    "usage_closed_figure_changed": [
        *changes("sum", billed_in=CLOSED_MONTH),
        Attack(lambda w: UsageRollup.objects.filter(pk=_closed(w).pk).update(events=9), ("usage_closed_figure_added",)),
    ],
    "usage_closed_figure_deleted": [
        Attack(lambda w: UsageRollup.objects.filter(pk=_closed(w).pk).delete(), ("usage_closed_figure_added",)),
    ],
}
