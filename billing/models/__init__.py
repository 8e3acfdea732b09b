from billing.models.account import BillingAccount
from billing.models.binding import BillingAccountBinding

__all__ = ["BillingAccount", "BillingAccountBinding"]
