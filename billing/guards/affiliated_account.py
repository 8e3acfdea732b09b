"""Guards of accounts among others: `paid_by` is the payer of record, and no phase leaves another without one."""

from collections.abc import Iterator

from billing.guards.affiliation import ACCOUNT, PAYERS, TABLE
from billing.models import BillingAccountBinding
from milo.append_only import Guard, refuse

BINDING = BillingAccountBinding._meta.db_table


def guards() -> Iterator[Guard]:
    """Yield the guards that affiliations put on accounts and bindings."""
    open_row = (
        f"EXISTS (SELECT 1 FROM {PAYERS} o WHERE o.account_id = NEW.id AND o.until_month IS NULL"
        " AND o.payer_id <> o.account_id AND {0})"
    )
    differs = f"(NEW.paid_by_id IS NULL AND {open_row.format('TRUE')}) OR (NEW.paid_by_id IS NOT NULL AND NOT "
    differs += f"{open_row.format('o.payer_id = NEW.paid_by_id')})"
    message = "is not the payer of record"
    yield refuse("account_paid_by_of_record", ACCOUNT, "INSERT", "NEW.paid_by_id IS NOT NULL", message)
    yield refuse(
        "account_paid_by_as_of_record",
        ACCOUNT,
        "UPDATE",
        f"NEW.paid_by_id IS DISTINCT FROM OLD.paid_by_id AND ({differs})",
        message,
    )
    yield refuse(
        "account_currency_of_payer",
        ACCOUNT,
        "UPDATE",
        "NEW.currency_code IS DISTINCT FROM OLD.currency_code AND"
        f" (EXISTS (SELECT 1 FROM {ACCOUNT} p WHERE p.id = NEW.paid_by_id AND p.currency_code <> NEW.currency_code)"
        f" OR EXISTS (SELECT 1 FROM {ACCOUNT} c WHERE c.paid_by_id = NEW.id))",
        "its payer of record bills in another currency",
    )
    yield from _of_phases()
    yield refuse(
        "binding_needs_ready_payer",
        BINDING,
        "INSERT",
        f"EXISTS (SELECT 1 FROM {ACCOUNT} a JOIN {ACCOUNT} p ON p.id = a.paid_by_id WHERE a.id = NEW.account_id"
        " AND p.phase <> 'Ready')",
        "the payer of record of the account is not Ready",
    )


def _of_phases() -> Iterator[Guard]:
    # a closure that races an affiliation: the accounts under it would have nobody above them that can pay
    yield refuse(
        "account_closed_while_above",
        ACCOUNT,
        "UPDATE",
        "NEW.phase IN ('Closed', 'Archived') AND OLD.phase <> NEW.phase AND EXISTS"
        f" (SELECT 1 FROM {TABLE} f JOIN {ACCOUNT} c ON c.id = f.account_id WHERE f.parent_id = NEW.id"
        " AND f.phase IN ('Active', 'Scheduled') AND c.phase NOT IN ('Closed', 'Archived'))",
        "accounts are under the account still",
    )
    # archival ends its affiliation: those below would be paid for by an archived account
    yield refuse(
        "account_archived_between",
        ACCOUNT,
        "UPDATE",
        "NEW.phase = 'Archived' AND OLD.phase <> 'Archived' AND NEW.paid_by_id IS NOT NULL AND EXISTS"
        f" (SELECT 1 FROM {TABLE} f JOIN {ACCOUNT} c ON c.id = f.account_id WHERE f.parent_id = NEW.id"
        " AND f.phase = 'Active' AND f.payer = 'Parent' AND c.phase <> 'Archived')",
        "accounts are paid for through it still",
    )
    yield refuse(
        "account_reopened_below_closed",
        ACCOUNT,
        "UPDATE",
        "OLD.phase = 'Closed' AND NEW.phase NOT IN ('Closed', 'Archived') AND EXISTS"
        f" (SELECT 1 FROM {TABLE} f JOIN {ACCOUNT} p ON p.id = f.parent_id WHERE f.account_id = NEW.id"
        " AND f.phase = 'Active' AND p.phase IN ('Closed', 'Archived'))",
        "the account that it is under is closed",
    )
