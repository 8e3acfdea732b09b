"""What of billing is sealed beside its histories, and what is proved by sealed rows."""

from billing.models import Notice, NoticeOutcome
from billing.services import notice_proofs
from milo.ledger import proofs
from milo.ledger.tables import Table, register

_DELIVERY = ("phase", "due_at", "claimed_until", "attempts", "delivered_at", "last_error")


def seal_tables() -> None:
    """Have notices sealed as they are owed, and what became of them."""
    register(
        Table(
            Notice,
            personal=("recipient", "context"),
            organization="account__organization__name",
            unsealed=_DELIVERY,
            subject="account",
        )
    )
    register(Table(NoticeOutcome, organization="notice__account__organization__name"))
    proofs.register(proofs.Proof("notices", notice_proofs.differences))
