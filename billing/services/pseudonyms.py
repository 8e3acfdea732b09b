"""Which columns hold personal data, and what stands there once their retention has ended."""

from typing import Any

from django.db.models import Model

from billing.models import ApprovalRequest, BillingAccount, BillingAccountBinding, Charge, Hold, Notice, Suspension

PURGED = "[purged]"
_METADATA = ("labels", "annotations")
PERSONAL: dict[type[Model], tuple[str, ...]] = {
    BillingAccount: ("display_name", "invoice_email_addresses", "tax_registrations", "e_invoicing", *_METADATA),
    BillingAccountBinding: _METADATA,
    Suspension: ("message", "internal_note", "evidence"),
    ApprovalRequest: ("justification", "comment", "reviewed", *_METADATA),
    Charge: ("description", *_METADATA),
    Hold: ("reason", "release_reason"),
    Notice: ("recipient", "context", "last_error"),
}


def pseudonym(value: Any) -> Any:
    """What stands in the place of a personal value: nothing of it is left but whether it was empty.

    The same for everybody: a digest of an address can be guessed.
    """
    return PURGED if isinstance(value, str) and value else type(value)() if value else value


def redact(model: type[Model], row: dict[str, Any]) -> dict[str, Any]:
    """A row of `model`, or of its history, as columns by name, without personal data."""
    return row | {column: pseudonym(row[column]) for column in PERSONAL[model]}
