"""Guards of payer changes: what was planned for which projects stays, and an outcome is what the bindings say."""

from collections.abc import Iterator

from billing.guards.sql import PURGED
from billing.models import PayerChange, PayerChangeItem
from milo.append_only import Guard, fixed_as_said, no_delete, no_replace, refuse

CHANGE, ITEM = PayerChange._meta.db_table, PayerChangeItem._meta.db_table
_ACCOUNTS = (
    "SELECT 1 FROM billing_billingaccount a WHERE a.id = NEW.{column} AND a.organization_id = NEW.organization_id"
)
_OF_ONE_ORGANIZATION = (
    f"EXISTS ({_ACCOUNTS.format(column='account_id')})"
    f" AND (NEW.source_id IS NULL OR EXISTS ({_ACCOUNTS.format(column='source_id')}))"
)
_PROJECT_OF_ORGANIZATION = (
    f"EXISTS (SELECT 1 FROM {CHANGE} c JOIN projects_project p ON p.organization_id = c.organization_id"
    " WHERE c.id = NEW.change_id AND p.id = NEW.project_id)"
)
_BINDING_AS_PLANNED = (
    f"EXISTS (SELECT 1 FROM billing_billingaccountbinding b JOIN {CHANGE} c ON c.account_id = b.account_id"
    " WHERE b.id = NEW.binding_id AND b.project_id = NEW.project_id AND c.id = NEW.change_id"
    " AND b.established_at = NEW.effective_at)"
)
_PLANNED = (
    f"EXISTS (SELECT 1 FROM {CHANGE} c WHERE c.id = NEW.change_id AND c.phase = 'Scheduled'"
    " AND c.effective_at = NEW.effective_at)"
)
_OPEN_ALREADY = f"EXISTS (SELECT 1 FROM {ITEM} was WHERE was.project_id = NEW.project_id AND was.phase = 'Pending')"
_ITEM_PURGED = (
    f"EXISTS (SELECT 1 FROM {CHANGE} c JOIN billing_billingaccount a ON a.id = c.account_id"
    " WHERE c.id = NEW.change_id AND a.pseudonymised_on IS NOT NULL)"
)


def guards() -> Iterator[Guard]:
    """Yield the guards of payer changes and of their projects."""
    yield from fixed_as_said(PayerChange, purge=PURGED)
    yield no_delete("payer_change_never_deleted", CHANGE)
    yield no_replace("payer_change_never_replaced", CHANGE, ["id"], ["uid"], ["organization_id", "name"])
    yield refuse(
        "payer_change_one_organization",
        CHANGE,
        "INSERT",
        f"NOT ({_OF_ONE_ORGANIZATION})",
        "an account belongs to another organization",
    )
    # a plan that ended opens again by a retry of what failed, nothing goes back to Scheduled
    yield refuse(
        "payer_change_goes_forward",
        CHANGE,
        "UPDATE",
        "NEW.phase <> OLD.phase AND (NEW.phase = 'Scheduled'"
        " OR (OLD.phase IN ('PartlyCompleted', 'Failed') AND NEW.phase <> 'InProgress'))",
        "the phase goes forward only",
    )
    yield from _of_items()


def _of_items() -> Iterator[Guard]:
    yield from fixed_as_said(PayerChangeItem, purge=_ITEM_PURGED)
    yield no_delete("payer_change_item_never_deleted", ITEM)
    yield no_replace("payer_change_item_never_replaced", ITEM, ["id"], ["change_id", "project_id"], ["binding_id"])
    yield refuse(
        "payer_change_item_one_organization",
        ITEM,
        "INSERT",
        f"NOT {_PROJECT_OF_ORGANIZATION}",
        "project and payer change belong to different organizations",
    )
    # a project that came later, or an earlier instant: a binding would begin before anybody had planned it
    yield refuse(
        "payer_change_item_as_planned", ITEM, "INSERT", f"NOT {_PLANNED}", "the payer change does not plan it so"
    )
    yield refuse(
        "payer_change_item_not_backdated",
        ITEM,
        "UPDATE",
        "NEW.effective_at < OLD.effective_at",
        "a retry is effective from then on",
    )
    # SQLite's INSERT OR REPLACE would remove the open item of another plan, and no trigger of DELETE would see it
    yield refuse(
        "payer_change_item_not_doubled",
        ITEM,
        "INSERT",
        f"NEW.phase = 'Pending' AND {_OPEN_ALREADY}",
        "another payer change of the project is open",
    )
    # of a row that has its binding the guard of the outcome says that it stays
    for event, first in {"INSERT": "TRUE", "UPDATE": "OLD.binding_id IS NULL"}.items():
        yield refuse(
            f"payer_change_item_{event.lower()}_as_bound",
            ITEM,
            event,
            f"NEW.binding_id IS NOT NULL AND {first} AND NOT {_BINDING_AS_PLANNED}",
            "the binding is not what the payer change planned",
        )
