"""Attacks on the past: history rows, the change log, seals, and what redaction has left."""

import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Permission
from django.db import connection, models
from django.db.models import F, Q
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice

from billing.models import BillingAccount
from billing.services.affiliations.cancellations import cancel
from billing.services.closed_months import close_month
from billing.services.default_accounts import set_default
from billing.services.payer_locks import lock_payer, unlock_payer
from milo.identity.identities import link
from milo.identity.models import LogIn
from milo.identity.passwords import request_link
from milo.identity.service_users import create_service_user
from milo.kube.models import Change, Counter
from milo.ledger import redactions, seals
from milo.ledger.models import Redaction, Salt, Seal
from milo.ledger.tables import MESSAGE, all_tables, table_of
from projects.services.organizations import OrganizationSpec
from tests.attacks import life
from tests.attacks.machinery import SQLITE, Attack, execute, unique
from tests.support import make
from tests.support.affiliations import an_affiliation
from tests.support.payer_changes import a_payer_change

HOUR = timedelta(hours=1)
HISTORIES = {table.stem: table.model for table in all_tables() if table.history}


class World(life.World):
    """A ledger in which every kind of row has a past that is sealed, and an object whose personal values are gone."""

    def __init__(self) -> None:
        super().__init__()
        bound = make.a_project(self.organization)
        make.a_binding(bound, self.ready)
        for act in (lock_payer, unlock_payer, lock_payer):
            act(bound.pk, reason="regulated workload", actor=make.PLATFORM)
        make.a_token(make.a_person(roles={self.organization: "billing-viewer"}))
        link(make.a_person(), "https://id.example", "1234", why="first log-in", actor=make.PLATFORM)
        create_service_user("robot", actor=make.PLATFORM)
        request_link(make.a_person(email="person@example.org"), actor=make.PLATFORM)
        payer = make.a_ready_account(make.an_organization())
        set_default(payer.organization_id, OrganizationSpec(), payer.name, actor=make.PLATFORM)
        self.person = make.a_person(groups=("auditor",))
        TOTPDevice.objects.create(user=self.person, name="authenticator")
        permission = Permission.objects.earliest("pk")
        self.person.user_permissions.add(permission)
        self.person.groups.get().permissions.add(permission)
        LogIn.objects.create(name=self.person.username, outcome=LogIn.Outcome.SUCCEEDED)
        LogEntry.objects.create(user=make.a_person(), action_flag=CHANGE, object_repr="person")
        close_month(self.ready.pk, date(2025, 12, 31), reason="invoiced", actor=make.PLATFORM)
        make.an_assignment(
            make.a_project(self.organization),
            make.a_request(self.ready),
            starts_at=timezone.now() - 2 * HOUR,
            ends_at=timezone.now() - HOUR,
        )
        self.change = a_payer_change(self.ready, make.a_project(self.organization))
        make.a_payer_correction(make.a_project(self.organization), self.ready)
        group, child, other = (make.a_ready_account(self.organization) for _ in range(3))
        an_affiliation(child, group)
        cancel(an_affiliation(other, group, after=1).pk, reason="put off", actor=make.PLATFORM)
        redactions.redact([self.archived.uid], actor=make.PLATFORM, why="retention")
        BillingAccount.objects.filter(pk=self.archived.pk).update(
            invoice_email_addresses=[], purge_on=date(2026, 1, 1), pseudonymised_on=date(2026, 1, 1)
        )
        seals.seal()
        connection.check_constraints()


def newest(model: type[models.Model]) -> Any:
    return model._base_manager.latest("pk")


def update(model: type[models.Model], **columns: Any) -> None:
    model._base_manager.filter(pk=newest(model).pk).update(**columns)


def rewrite(column: "models.Field[Any, Any]") -> Attack:
    """Write another value into a column of a newest row."""
    others: dict[type[models.Field[Any, Any]], Any] = {
        models.DateTimeField: timezone.now() - HOUR,
        # no day that a row of the world has, whenever the test runs
        models.DateField: date(2001, 1, 1),
        models.BooleanField: Q(**{column.attname: False}),
        models.JSONField: {"forged": "yes"},
        models.UUIDField: uuid.uuid4(),
        models.DecimalField: 7,
        models.BinaryField: b"forged",
    }
    value = next((value for kind, value in others.items() if isinstance(column, kind)), None)
    if value is None:
        value = 29_999 if isinstance(column, models.IntegerField | models.ForeignKey) else "x"
    return Attack(lambda w: update(column.model, **{column.attname: value}))


def again(model: type[models.Model], *lifting: str) -> Attack:
    """INSERT OR REPLACE the newest row by itself; PostgreSQL knows plain INSERT alone."""

    def attack(_world: Any) -> None:
        table, key = model._meta.db_table, model._meta.pk
        assert key
        verb = "INSERT OR REPLACE" if connection.vendor == SQLITE else "INSERT"
        execute(f"{verb} INTO {table} SELECT * FROM {table} ORDER BY {key.column} DESC LIMIT 1")

    return Attack(attack, lifting, says={"postgresql": "duplicate key"})


def emptied(model: type[models.Model]) -> list[Attack]:
    """The newest row is deleted, then all of them."""
    table, key = model._meta.db_table, model._meta.pk
    assert key
    one = f"DELETE FROM {table} WHERE {key.column} = (SELECT max({key.column}) FROM {table})"
    every = f"DELETE FROM {table}" if connection.vendor == SQLITE else f"TRUNCATE {table} CASCADE"
    return [Attack(lambda w: execute(one)), Attack(lambda w: execute(every))]


def _truncate(table: str, on_sqlite: str) -> Attack:
    """Empty the table; SQLite, which knows no TRUNCATE, answers in the name of another guard."""
    sql = f"DELETE FROM {table}" if connection.vendor == SQLITE else f"TRUNCATE {table}"
    return Attack(lambda w: execute(sql), says={SQLITE: on_sqlite})


def columns(model: type[models.Model], *but: str) -> list[Attack]:
    return [rewrite(column) for column in model._meta.concrete_fields if column.attname not in but]


def _repeat(model: type[models.Model], at: datetime) -> None:
    """Write the newest history row once more, as of another instant."""
    row = newest(model)
    row.pk, row.history_date = row.pk + 1, at
    model._base_manager.bulk_create([row])


def _step_by_step(model: type[models.Model]) -> None:
    """Date one history row as late as is tolerated, and the next one that much later again."""
    for seconds in (55, 110):
        _repeat(model, timezone.now() + timedelta(seconds=seconds))


def _compact_what_is_not_sealed(_world: World) -> None:
    Counter.objects.update(value=F("value") + 1)
    Counter.objects.update(compacted=F("value"))


def _hand_over_twice(_world: World) -> None:
    for at in (timezone.now(), None):
        update(Seal, handed_over_at=at)


def _redact_twice(known: Redaction) -> None:
    _redact(known.table, known.row, known.subject)


def _redact(table: str, row: int, subject: Any) -> None:
    known = newest(Redaction)
    known.pk, known.table, known.row, known.subject = None, table, row, str(subject)
    Redaction.objects.bulk_create([known])


def _of_nothing_archived() -> list[Attack]:
    """Redact the newest row of each sealed table, in the name of its own subject, or of one that is archived."""

    def attack(table: Any, name: Callable[[World, Any], Any]) -> Attack:
        rows = table.model._base_manager.exclude(pk__in=Redaction.objects.filter(table=table.name).values("row"))

        def redact(w: World) -> None:
            others = rows.exclude(uid=w.archived.uid) if "uid" in names else rows
            row = others.latest("pk")
            _redact(table.name, row.pk, name(w, row))

        names = {column.name for column in table.model._meta.concrete_fields}
        return Attack(redact)

    return [
        attack(table, name)
        for table in all_tables()
        if table.personal
        for name in (lambda w, row: getattr(row, "uid", row.pk), lambda w, row: w.archived.uid)
    ]


def _seal_again(**columns: Any) -> Attack:
    """Write a seal after the newest one that is not chained to it."""

    def attack(_world: World) -> None:
        last = newest(Seal)
        known = {"number": last.number + 1, "previous": last.digest, "at": timezone.now(), "digest": "0" * 64}
        for name, value in (known | columns).items():
            setattr(last, name, value(last) if callable(value) else value)
        Seal.objects.bulk_create([last])

    return Attack(attack)


def _redact_no_value(world: World) -> None:
    """A value that was redacted already is given another."""
    BillingAccount.history.filter(id=world.archived.pk).update(invoice_email_addresses=["b@acme-corp.example"])


def _blank_without_redaction(model: type[models.Model]) -> list[Attack]:
    def attack(_world: Any) -> None:
        kept = model._base_manager.exclude(pk__in=Redaction.objects.filter(table=model._meta.db_table).values("row"))
        name = next(name for name in table_of(model._meta.db_table).personal if name != MESSAGE)
        kept.update(**{name: "[purged]"})

    return [Attack(attack)] if len(table_of(model._meta.db_table).personal) > 1 else []


ATTACKS: dict[str, list[Attack]] = {
    "change_fixed": columns(Change),
    "change_deleted_once_compacted": [
        Attack(lambda w: execute("DELETE FROM kube_change")),
        Attack(
            lambda w: execute("DELETE FROM kube_change WHERE resource_version > (SELECT compacted FROM kube_counter)")
        ),
    ],
    "change_deleted_once_compacted_not_emptied": [_truncate("kube_change", "change_deleted_once_compacted")],
    "change_never_replaced": [again(Change)],
    "counter_never_backwards": [
        Attack(lambda w: Counter.objects.update(value=1)),
        Attack(lambda w: Counter.objects.update(compacted=10**9), ("counter_compacted_once_sealed",)),
        Attack(lambda w: (Counter.objects.update(compacted=2), Counter.objects.update(compacted=1))),
    ],
    "counter_compacted_once_sealed": [Attack(_compact_what_is_not_sealed)],
    "counter_never_deleted": emptied(Counter),
    "seal_fixed": columns(Seal, "handed_over_at"),
    "seal_handover_fixed": [
        Attack(_hand_over_twice),
    ],
    "seal_never_deleted": emptied(Seal),
    "seal_follows": [
        _seal_again(number=lambda last: last.number + 99),
        _seal_again(number=0),
        _seal_again(previous="0" * 64),
        _seal_again(at=lambda last: last.at - HOUR),
    ],
    "seal_never_replaced": [again(Seal)],
    "admin_log_never_changed": columns(LogEntry),
    "admin_log_never_deleted": emptied(LogEntry),
    "admin_log_never_replaced": [again(LogEntry)],
    "log_in_never_changed": columns(LogIn),
    "log_in_never_deleted": emptied(LogIn),
    "log_in_never_replaced": [again(LogIn)],
    "salt_fixed": [
        Attack(lambda w: Salt.objects.update(key=b"forged")),
        Attack(lambda w: update(Salt, subject="x")),
    ],
    "salt_deleted_in_redaction": [Attack(lambda w: execute("DELETE FROM ledger_salt"))],
    "salt_deleted_in_redaction_not_emptied": [_truncate("ledger_salt", "salt_deleted_in_redaction")],
    "salt_never_replaced": [again(Salt)],
    "redaction_fixed": columns(Redaction),
    "redaction_never_deleted": emptied(Redaction),
    "redaction_never_replaced": [again(Redaction)],
    "redaction_of_archived": _of_nothing_archived(),
    "redaction_once": [
        Attack(
            lambda w: _redact_twice(newest(Redaction)),
            lifting=("redaction_never_replaced",),
            says=unique("ledger_redaction.table", "ledger_redaction.row"),
        )
    ],
}
for _stem, _model in HISTORIES.items():
    ATTACKS |= {
        f"history_of_{_stem}_fixed": [*columns(_model), *_blank_without_redaction(_model)],
        f"history_of_{_stem}_never_deleted": emptied(_model),
        f"history_of_{_stem}_never_replaced": [again(_model, f"history_of_{_stem}_goes_forward")],
        f"history_of_{_stem}_goes_forward": [
            Attack(lambda w, model=_model: _repeat(model, newest(model).history_date)),  # type: ignore[misc]
            Attack(lambda w, model=_model: _repeat(model, newest(model).history_date - HOUR)),  # type: ignore[misc]
            Attack(lambda w, model=_model: _repeat(model, datetime(9999, 12, 31, tzinfo=UTC))),  # type: ignore[misc]
        ],
        f"history_of_{_stem}_not_ahead": [
            Attack(lambda w, model=_model: _repeat(model, timezone.now() + HOUR), only="postgresql"),  # type: ignore[misc]
            Attack(lambda w, model=_model: _step_by_step(model), only="postgresql"),  # type: ignore[misc]
        ],
    }
ATTACKS["history_of_billingaccount_fixed"].append(Attack(_redact_no_value))
