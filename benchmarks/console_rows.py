"""Rows for the lists of the staff site, made by SQL: as many of each model as asked for, and a few that are rare."""

from collections.abc import Sequence
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import NOT_PROVIDED, Model

from billing.models import (
    ApprovalRequest,
    BillingAccount,
    BillingAccountAffiliation,
    BillingAccountBinding,
    Charge,
    Hold,
    Notice,
    PayerChange,
    PayerChangeItem,
    Suspension,
)
from milo.identity.models import Identity, LogIn, ServiceToken
from projects.models import Membership, Organization, Project

RARE = 20
"""Of each model this many rows wait for somebody, whatever the number of all. They are the oldest."""
FIRST_KEY = 101
OF_AN_ORGANIZATION = 100

# n is the number of a row, from 0; the rows of one number belong to each other
_KEY = f"{FIRST_KEY} + n"
_NAME = "lpad(n::text, 7, '0')"
_AT = "timestamptz '2020-01-01' + n * interval '1 minute'"
_LATER = f"{_AT} + interval '1 second'"
_OWNER: dict[str, str] = {"organization_id": f"{FIRST_KEY} + n %% {{organizations}}"}
# in the order of the rows, which takes a fraction of the time of random ones
_UID = "lpad(to_hex(n), 32, '0')::uuid"
_RESOURCE = {"uid": _UID, "created_at": _AT, "generation": "1"}


def _rare(waiting: str, ended: str) -> str:
    return f"CASE WHEN n < {RARE} THEN {waiting} ELSE {ended} END"


_ROWS: Sequence[tuple[type[Model], dict[str, str]]] = (
    (User, {"username": f"'person-' || {_NAME}", "email": "'person-' || n || '@acme.example'", "date_joined": _AT}),
    # no search for the name of another row finds its rows, of which the larger database has more
    (Organization, {**_RESOURCE, "name": f"'org-x' || {_NAME}", "display_name": "'Organization ' || n"}),
    (
        Project,
        {
            **_RESOURCE,
            **_OWNER,
            "name": f"'project-' || {_NAME}",
            "display_name": "'Project ' || n",
            "phase": _rare("'Archived'", "'Active'"),
            "phase_since": _AT,
        },
    ),
    (
        BillingAccount,
        {
            **_RESOURCE,
            **_OWNER,
            "name": f"'account-' || {_NAME}",
            "display_name": "'Account ' || n",
            "currency_code": "'USD'",
            "country": "'DE'",
            "payment_profile": """'{"creditCard": {"cardReference": "cc-1"}}'""",
            "tax_registrations": """('[{"type": "eu_vat", "value": "DE' || 100000000 + n || '"}]')::jsonb""",
            "invoice_email_addresses": """('["billing-' || n || '@acme.example"]')::jsonb""",
            "phase": _rare("'Incomplete'", "'Ready'"),
            "phase_since": _AT,
            "first_ready_at": _LATER,
        },
    ),
    (Membership, {**_OWNER, "user_id": _KEY, "role": _rare("'billing-user'", "'billing-viewer'")}),
    (
        Identity,
        {"user_id": _KEY, "issuer": "'https://acme.example'", "subject": f"'subject-' || {_NAME}", "created_at": _AT},
    ),
    (
        ServiceToken,
        {
            "user_id": _KEY,
            "description": f"'token ' || {_NAME}",
            "hint": "substr(md5(n::text), 1, 6)",
            "digest": "md5(n::text) || md5(n::text)",
            "created_at": _AT,
            "revoked_at": _rare(_LATER, "NULL"),
        },
    ),
    (LogIn, {"name": f"'person-' || {_NAME}", "outcome": _rare("'LockedOut'", "'Succeeded'"), "at": _AT}),
    (
        BillingAccountAffiliation,
        {
            **_RESOURCE,
            **_OWNER,
            "name": f"'affiliation-' || {_NAME}",
            "account_id": _KEY,
            "parent_id": f"CASE WHEN n > 0 THEN {FIRST_KEY} + n / 10 END",
            "payer": "CASE WHEN n > 0 THEN 'Parent' ELSE 'Self' END",
            "effective_from": "date '2020-01-01' + n %% 60 * interval '1 month'",
            "reason": "'a benchmark'",
            "created_by": "'system:benchmarks'",
            "phase": _rare("'Scheduled'", "'Active'"),
            "activated_at": _rare("NULL", _LATER),
        },
    ),
    (
        BillingAccountBinding,
        {
            **_RESOURCE,
            **_OWNER,
            "name": f"'binding-' || {_NAME}",
            "project_id": _KEY,
            "account_id": _KEY,
            "phase": _rare("'Ended'", "'Active'"),
            "established_at": _AT,
            "ended_at": _rare(_LATER, "NULL"),
        },
    ),
    (
        Charge,
        {
            **_RESOURCE,
            **_OWNER,
            "name": f"'charge-' || {_NAME}",
            "account_id": _KEY,
            "external_id": f"'external-' || {_NAME}",
            "amount": "100",
            "currency_code": "'USD'",
            "due_date": "date '2020-01-01' + n %% 2000",
            "settlement_reference": _rare("''", "'transfer-' || n"),
            "settled_at": _rare("NULL", _LATER),
        },
    ),
    (
        Hold,
        {
            "uid": _UID,
            "account_id": _KEY,
            "type": _rare("'LegalHold'", "'Dispute'"),
            "set_at": _AT,
            "set_by": "'user:somebody'",
            "released_at": _rare("NULL", _LATER),
            "released_by": _rare("''", "'user:another'"),
            "release_reason": _rare("''", "'a benchmark'"),
        },
    ),
    (
        Suspension,
        {
            "uid": _UID,
            "account_id": _KEY,
            "reason_code": _rare("'FraudSuspected'", "'PaymentPastDue'"),
            "suspended_at": _AT,
            "suspended_by": "'user:somebody'",
            "evidence": _rare("NULL", "'{}'::jsonb"),
            "resolved_at": _rare("NULL", _LATER),
            "resolved_by": _rare("''", "'user:another'"),
        },
    ),
    (
        ApprovalRequest,
        {
            **_RESOURCE,
            **_OWNER,
            "name": f"'request-' || {_NAME}",
            "account_id": _KEY,
            "act": _rare("'Close'", "'Reactivate'"),
            "reviewed": "'{}'::jsonb",
            "requester": "'user:somebody'",
            "requested_at": _AT,
            "expires_at": f"{_AT} + interval '7 days'",
            "phase": _rare("'Pending'", "'Approved'"),
            "decider": _rare("''", "'user:another'"),
            "decided_at": _rare("NULL", _LATER),
        },
    ),
    (
        PayerChange,
        {
            **_RESOURCE,
            **_OWNER,
            "name": f"'change-' || {_NAME}",
            "account_id": _KEY,
            "projects": f"jsonb_build_array('project-' || {_NAME})",
            "effective_at": _AT,
            "at_once": "false",
            "atomic": "false",
            "reason": "'a benchmark'",
            "created_by": "'user:somebody'",
            "phase": _rare("'Scheduled'", "'Completed'"),
            "finished_at": _rare("NULL", _LATER),
            **{name: _rare("NULL", number) for name, number in (("total", "1"), ("done", "1"))},
            **{name: _rare("NULL", "0") for name in ("failed", "cancelled")},
        },
    ),
    (
        PayerChangeItem,
        {
            "change_id": _KEY,
            "project_id": _KEY,
            "effective_at": _AT,
            "phase": _rare("'Pending'", "'Done'"),
            "binding_id": _rare("NULL", _KEY),
            "settled_at": _rare("NULL", _LATER),
        },
    ),
    (
        Notice,
        {
            "uid": _UID,
            "about": _rare("'Suspended'", "'Reactivated'"),
            "account_id": _KEY,
            "project_id": _KEY,
            "cause_uid": _UID,
            "subject_uid": _UID,
            "recipient": "'owner-' || n || '@acme.example'",
            "phase": _rare("'Dead'", "'Delivered'"),
            "created_at": _AT,
            "due_at": _AT,
            "delivered_at": _rare("NULL", _LATER),
        },
    ),
)
FILLED = [model for model, _values in _ROWS]


def fill(rows: int) -> None:
    """Add `rows` rows of each model to the empty tables of the open database.

    Triggers and foreign keys are skipped, checks and unique columns are not. Other indexes are built when the rows are
    there, which takes a fraction of the time; afterwards they are those of the migrations.
    """
    for model, values in _ROWS:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute("SET LOCAL maintenance_work_mem = '256MB'")
            _drop_exclusions(cursor, model)
            indexes = _drop_indexes(cursor, model)
            _insert(cursor, model, values, rows)
            for definition in indexes:
                cursor.execute(definition)
    with connection.cursor() as cursor:
        # inside of a transaction, which a test rolls back, nothing can be vacuumed
        cursor.execute("ANALYZE" if connection.in_atomic_block else "VACUUM ANALYZE")


def _drop_exclusions(cursor: Any, model: type[Model]) -> None:
    """Drop what keeps spans of time from overlapping. No list reads by it, and it takes minutes for a million rows."""
    table = model._meta.db_table
    cursor.execute("SELECT conname FROM pg_constraint WHERE contype = 'x' AND conrelid = %s::regclass", [table])
    for (name,) in cursor.fetchall():
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")


def _drop_indexes(cursor: Any, model: type[Model]) -> list[str]:
    """Drop the indexes that belong to no constraint, and return the statements that make them."""
    cursor.execute(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = %s::regclass"
        " AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)",
        [model._meta.db_table],
    )
    found = cursor.fetchall()
    for name, _definition in found:
        cursor.execute(f"DROP INDEX {name}")
    return [definition for _name, definition in found]


def _insert(cursor: Any, model: type[Model], values: dict[str, str], rows: int) -> None:
    columns, parameters = {"id": _KEY, **values}, []
    for field in model._meta.concrete_fields:
        assert field.column
        if field.column not in columns and not field.null and field.db_default is NOT_PROVIDED:
            columns[field.column] = "%s"
            parameters.append(field.get_db_prep_save(field.get_default(), connection))
    listed = ", ".join(columns.values()).replace("{organizations}", str(max(rows // OF_AN_ORGANIZATION, 1)))
    cursor.execute(
        f"INSERT INTO {model._meta.db_table} ({', '.join(columns)})"
        f" SELECT {listed} FROM generate_series(0, {rows - 1}) AS n",
        parameters,
    )
