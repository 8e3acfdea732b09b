"""The standing of payers of record: a project is bound to an account only while whoever is invoiced for it is Ready."""

from collections.abc import Collection

from django.db import connection
from django.utils.translation import gettext as _

from billing.models import BillingAccount
from billing.services.accounts import ACCOUNT_FIELD
from milo.errors import Cause, Unavailable

STANDING = ("name", "phase", "phase_message")
"""What a payer of record is asked for by `not_ready_as_payer`."""
# each part by an index of its own; as one condition, every bind read all accounts
_CONCERNED = """
    SELECT id, paid_by_id FROM billing_billingaccount WHERE id = ANY(%s)
    UNION ALL SELECT id, paid_by_id FROM billing_billingaccount WHERE organization_id = %s AND name = %s
    UNION ALL SELECT id, paid_by_id FROM billing_billingaccount
        WHERE id IN (SELECT account_id FROM billing_defaultaccount WHERE organization_id = %s)"""
_LOCK = (
    'SELECT id FROM billing_billingaccount WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE OF "billing_billingaccount"'
)
_SHARE = "SELECT id FROM billing_billingaccount WHERE id = %s FOR SHARE"


def lock_shared(
    keys: Collection[int | None] = (),
    organization_id: int | None = None,
    name: str = "",
    *,
    default_of: int | None = None,
    others: Collection[int] = (),
) -> frozenset[int]:
    """Keep the payers of record of accounts in their phases until the transaction ends; call it before their locks.

    The accounts are those of `keys`, the one named `name`, and the default of `default_of`; `others` are kept in their
    phases themselves. Shared, or all who bind into one tree would queue on one row. All locks are had in the order of
    primary keys: so the accounts below a payer come before it, and the caller locks the others. SQLite has one writer.
    Return the primary keys of the payers, for `refuse_changed`.
    """
    if connection.vendor != "postgresql":
        return frozenset()
    with connection.cursor() as cursor:
        cursor.execute(_CONCERNED, [[key for key in keys if key], organization_id, name, default_of])
        concerned = dict(cursor.fetchall())
        payers = frozenset(payer for payer in concerned.values() if payer)
        # one that the caller locks itself is not shared first: two that share it would both wait to have it alone
        for payer_id in sorted({*payers, *others} - concerned.keys()):
            if before := [key for key in concerned if key < payer_id]:
                cursor.execute(_LOCK, [before])
            cursor.execute(_SHARE, [payer_id])
    return payers


def not_ready(account: BillingAccount, field: str = ACCOUNT_FIELD) -> Cause | None:
    """Return why no project can be bound to a Ready `account` now: its payer of record is not Ready."""
    return not_ready_as_payer(account.paid_by, account, field)


def not_ready_as_payer(
    payer: BillingAccount | None, account: BillingAccount, field: str = ACCOUNT_FIELD
) -> Cause | None:
    """Return why `payer`, if there is another, cannot answer for what comes to a Ready `account`: it is not Ready."""
    ready = BillingAccount.Phase.READY
    if account.phase != ready or payer is None or payer.phase == ready:
        return None
    message = _("billing account %(name)s is Ready, but its payer of record %(payer)s is %(phase)s: %(why)s")
    names = {"name": account.name, "payer": payer.name, "phase": payer.phase, "why": payer.phase_message}
    return Cause(field, message % names)


def refuse_changed(accounts: Collection[BillingAccount], shared: frozenset[int]) -> None:
    """Raise `Unavailable` if an account, locked now, got a payer of record that `lock_shared` has not locked."""
    if connection.vendor != "postgresql":
        return
    if any(account.paid_by_id is not None and account.paid_by_id not in shared for account in accounts):
        raise Unavailable(_("an affiliation takes effect at this moment; try again"))
