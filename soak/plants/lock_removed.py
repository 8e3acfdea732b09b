"""Accounts are read without their lock: a bind and a closure of one account do not see each other."""

from billing.models.account_queries import BillingAccountQuerySet
from soak.plants import pauses


def plant() -> None:
    BillingAccountQuerySet.locked = lambda self: self.order_by("pk")  # type: ignore[method-assign]
    pauses.before_numbering(0.3)
