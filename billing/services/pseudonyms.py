"""Which columns hold personal data, and what stands there once their retention has ended."""

from typing import Any

from django.db.models import Model

from billing.models import (
    ApprovalRequest,
    BillingAccount,
    BillingAccountBinding,
    Charge,
    Hold,
    Notice,
    Suspension,
    UsageRollup,
)
from milo import audit
from milo.ledger.redactions import pseudonym
from milo.ledger.rows import PURGED

_METADATA = ("labels", "annotations")
PERSONAL: dict[type[Model], tuple[str, ...]] = {
    BillingAccount: ("display_name", "invoice_email_addresses", "tax_registrations", "e_invoicing", *_METADATA),
    BillingAccountBinding: _METADATA,
    Suspension: ("message", "internal_note", "evidence"),
    ApprovalRequest: ("justification", "comment", "reviewed", *_METADATA),
    Charge: ("description", *_METADATA),
    Hold: ("message", "reason", "release_reason"),
    Notice: ("recipient", "context", "last_error"),
    UsageRollup: (),
}


def redact(model: type[Model], row: dict[str, Any]) -> dict[str, Any]:
    """A row of `model`, or of its history, as columns by name, without personal data."""
    if "history_id" not in row:
        return row | {column: pseudonym(row[column]) for column in PERSONAL[model]}
    gone = {column: pseudonym(row[column]) for column in audit.histories()[model].personal}
    return row | gone | {"history_change_message": ""}


__all__ = ["PERSONAL", "PURGED", "pseudonym", "redact"]
