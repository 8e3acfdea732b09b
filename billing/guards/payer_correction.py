"""Guards of corrections of payers: facts like bindings, each allowed by an approved request of its own."""

from collections.abc import Iterator

from billing.models import PayerCorrection
from milo.append_only import Guard, as_written, refuse

TABLE = PayerCorrection._meta.db_table
_APPROVED = (
    "EXISTS (SELECT 1 FROM billing_approvalrequest r WHERE r.id = NEW.request_id AND r.account_id = NEW.account_id"
    " AND r.act = 'CorrectPayer' AND r.phase = 'Approved')"
)
_OF_ONE_ORGANIZATION = (
    "EXISTS (SELECT 1 FROM projects_project p JOIN billing_billingaccount a ON a.organization_id = p.organization_id"
    " WHERE p.id = NEW.project_id AND a.id = NEW.account_id)"
)
_ARCHIVED = (
    "EXISTS (SELECT 1 FROM billing_billingaccount a WHERE a.id = NEW.account_id"
    " AND (a.phase = 'Archived' OR a.pseudonymised_on IS NOT NULL))"
)
_NOT_LAST = (
    f"EXISTS (SELECT 1 FROM {TABLE} was WHERE was.project_id = NEW.project_id AND was.recorded_at >= NEW.recorded_at)"
    " OR EXISTS (SELECT 1 FROM billing_usageclosing c WHERE c.closed_at >= NEW.recorded_at)"
)


def guards() -> Iterator[Guard]:
    """Yield the guards of corrections."""
    yield from as_written("payer_correction", TABLE, ["id"], ["request_id"], ["project_id", "recorded_at"])
    yield refuse(
        "payer_correction_approved", TABLE, "INSERT", f"NOT {_APPROVED}", "no approved request of the account allows it"
    )
    yield refuse(
        "payer_correction_one_organization",
        TABLE,
        "INSERT",
        f"NOT {_OF_ONE_ORGANIZATION}",
        "project and account belong to different organizations",
    )
    yield refuse("payer_correction_not_archived", TABLE, "INSERT", _ARCHIVED, "the account is archived, or purged")
    # an earlier instant would change what the ledger answers as known then, and the figures of a closed month
    yield refuse(
        "payer_correction_recorded_last",
        TABLE,
        "INSERT",
        _NOT_LAST,
        "is recorded before another correction of the project, or before the closing of a month",
    )
