"""Guard of redactions, because a redaction permits to blank history rows and to destroy salts."""

from collections.abc import Iterator

from billing.models import (
    ApprovalRequest,
    BillingAccount,
    BillingAccountAffiliation,
    BillingAccountBinding,
    Charge,
    Hold,
    Notice,
    PayerChange,
    Suspension,
)
from milo.append_only import Guard, refuse

ACCOUNT, NOTICE = BillingAccount._meta.db_table, Notice._meta.db_table
_OF_ACCOUNTS = tuple(
    model._meta.db_table
    for model in (
        BillingAccountAffiliation,
        BillingAccountBinding,
        Suspension,
        ApprovalRequest,
        Charge,
        Hold,
        PayerChange,
    )
)


def guards() -> Iterator[Guard]:
    """Yield the guard that refuses to redact the history of any account that is not Archived."""
    message = "is not of an archived account, or not its own"
    yield refuse("redaction_of_archived", "ledger_redaction", "INSERT", _no_redaction(), message)


def _no_redaction() -> str:
    """Return the condition that NEW redacts a row of no archived account, or names another subject than that row's."""
    archived = f"JOIN {ACCOUNT} a ON a.id = {{owner}} WHERE a.phase = 'Archived'"
    same = "REPLACE(CAST({uid} AS TEXT), '-', '') = REPLACE(NEW.subject, '-', '')"
    owners = {ACCOUNT: "h.id"} | dict.fromkeys(_OF_ACCOUNTS, "h.account_id")
    rows = {
        table.replace("_", "_historical", 1): f"{archived.format(owner=owner)} AND h.history_id"
        for table, owner in owners.items()
    }
    uids = dict.fromkeys(rows, "h.uid") | {NOTICE: "a.uid"}
    rows[NOTICE] = f"{archived.format(owner='h.account_id')} AND h.id"
    allowed = [
        f'EXISTS (SELECT 1 FROM {table} h {row} = NEW."row" AND {same.format(uid=uids[table])})'
        for table, row in rows.items()
    ]
    live = [f"SELECT 1 FROM {ACCOUNT} a WHERE a.uid = h.uid AND a.phase = 'Archived'"] + [
        f"SELECT 1 FROM {table} o {archived.format(owner='o.account_id')} AND o.uid = h.uid" for table in _OF_ACCOUNTS
    ]
    of_live_row = " OR ".join(f"EXISTS ({query})" for query in live)
    rows["kube_change"] = ""
    allowed.append(
        f'EXISTS (SELECT 1 FROM kube_change h WHERE h.resource_version = NEW."row" AND {same.format(uid="h.uid")}'
        f" AND ({of_live_row}))"
    )
    known = " OR ".join(
        f"(NEW.\"table\" = '{table}' AND {condition})" for table, condition in zip(rows, allowed, strict=True)
    )
    return f"NOT ({known})"
