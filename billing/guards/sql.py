"""Conditions in SQL that several guards share."""

PURGED = (
    "EXISTS (SELECT 1 FROM billing_billingaccount a WHERE a.id = NEW.account_id AND a.pseudonymised_on IS NOT NULL)"
)
"""The account of the row is purged, in this transaction or before."""


def still_paid_for(column: str) -> str:
    """Return the condition that a binding of the row is active; `column` is what names the row in a binding."""
    return f"EXISTS (SELECT 1 FROM billing_billingaccountbinding b WHERE b.{column} = NEW.id AND b.phase = 'Active')"


def payer_locked(project: str) -> str:
    """Return the condition that the payer of a project is locked; `project` is SQL for its key, such as NEW.id."""
    return f"EXISTS (SELECT 1 FROM billing_payerlock l WHERE l.project_id = {project} AND l.unlocked_at IS NULL)"
