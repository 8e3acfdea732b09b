"""Register the tables of billing that the ledger seals besides the histories, and the proofs that rest on them."""

from billing.models import (
    BillingAccountBinding,
    Notice,
    NoticeOutcome,
    PayerChangeItem,
    UsageIntake,
    UsageMeter,
)
from billing.services import redating
from billing.services.notices.proofs import differences as differences_of_notices
from billing.services.retention.proofs import differences as differences_of_redactions
from billing.services.usage.proofs import differences as differences_of_usage
from milo.ledger import late, proofs
from milo.ledger.tables import Table, register

_DELIVERY = ("phase", "due_at", "claimed_until", "attempts", "delivered_at", "last_error")
_OUTCOME = ("effective_at", "phase", "reason", "message", "binding_id", "settled_at")


def seal_tables() -> None:
    """Register notices with their outcomes, the projects of payer changes, and intakes of usage with their digests."""
    register(
        Table(
            Notice,
            organization="account__organization__name",
            unsealed=_DELIVERY,
            subject="account",
        )
    )
    register(Table(NoticeOutcome, organization="notice__account__organization__name"))
    register(Table(PayerChangeItem, organization="change__organization__name", unsealed=_OUTCOME))
    register(Table(UsageIntake))
    register(Table(UsageMeter))
    proofs.register(proofs.Proof("notices", differences_of_notices))
    proofs.register(proofs.Proof("redactions", differences_of_redactions))
    proofs.register(proofs.Proof("usage", differences_of_usage))
    late.explain(BillingAccountBinding.history.model._meta.db_table, redating.explains)
