"""Record what this version writes on PostgreSQL, for tests/ledger/test_version_before.py of the versions after it.

createdb milo_record
export DATABASE_URL=postgresql:///milo_record DJANGO_SETTINGS_MODULE=milo.settings
.venv/bin/python manage.py migrate
.venv/bin/python -m tests.ledger.versions.record tests/ledger/versions/$(git rev-parse --short HEAD).json
"""

import json
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import django

FIRST_KEY = 1_000_001
"""What the sequences count from, here and where the writes are replayed."""


def restart_sequences(cursor: Any) -> None:
    """Have every sequence of the database go on at `FIRST_KEY`."""
    cursor.execute("SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'")
    for (name,) in cursor.fetchall():
        cursor.execute(f'ALTER SEQUENCE public."{name}" RESTART {FIRST_KEY}')


def act() -> None:
    """Open, bind, rebind, suspend, hold, charge, settle, request and archive, once each."""
    from billing.services import charges, holds, projects, suspensions
    from tests.support import make

    before = make.an_organization("of-before")
    first = make.a_ready_account(before, "first")
    second = make.a_ready_account(before, "second", display_name="Erika Example")
    web, old = make.a_project(before, "web-before"), make.a_project(before, "old-before")
    make.a_binding(web, first, "web-first")
    make.a_binding(old, first, "old-first")
    make.a_binding(web, second, "web-second")
    suspensions.suspend(first.pk, reason_code="PaymentPastDue", message="Invoice 17: unpaid", actor=make.PLATFORM)
    holds.set_hold(second.pk, type="Dispute", reason="Invoice 18: disputed", actor=make.PLATFORM)
    spec = charges.ChargeSpec("inv-18", Decimal("12.50"), "USD", date(2026, 12, 31))
    charge = charges.report_charge(before.pk, "second", spec, actor=make.PLATFORM)
    charges.settle_charge(charge.pk, reference="paid", actor=make.PLATFORM)
    make.a_request(second)
    projects.archive_project(old.pk, actor=make.PLATFORM)


def recorded() -> dict[str, Any]:
    """Act, and return what test_version_before.py reads of a version."""
    from django.apps import apps
    from django.db import connection
    from django.db.migrations.loader import MigrationLoader

    from milo.audit import histories

    writes: list[str] = []
    ops: Any = connection.ops

    def keep(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        text = ops.compose_sql(sql, params) if params else sql
        if text.lstrip().startswith(("INSERT", "UPDATE", "DELETE", "SELECT public.record_")):
            writes.append(text)
        return execute(sql, params, many, context)

    with connection.cursor() as cursor:
        restart_sequences(cursor)
    with connection.execute_wrapper(keep):
        act()
    models = [model for model in apps.get_models(include_auto_created=True) if not model._meta.proxy]
    return {
        "migrations": sorted(".".join(node) for node in MigrationLoader(connection).applied_migrations),
        "tables": {it._meta.db_table: sorted(str(of.column) for of in it._meta.concrete_fields) for it in models},
        "functions": {records.function: records.types() for records in histories().values()},
        "writes": writes,
    }


if __name__ == "__main__":
    django.setup()
    Path(sys.argv[1]).write_text(json.dumps(recorded(), indent=1) + "\n")
