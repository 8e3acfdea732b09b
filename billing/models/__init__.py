"""The ledger of billing: accounts, bindings, approval requests, suspensions, holds, charges, notices and usage.

Start at `account` and `binding`: who pays, and for what since when. Models hold columns, transitions, constraints and
querysets; services are the only code that writes them. Beside each model `columns` says which columns are fixed, free
and personal; guards (`billing.guards`) turn that into triggers. History tables come from `milo.audit`, the columns that
all kinds share from `milo.kube.models.Resource`.
"""

from billing.models.account import BillingAccount
from billing.models.affiliation import AccountPayer, BillingAccountAffiliation
from billing.models.approval import ApprovalRequest
from billing.models.binding import BillingAccountBinding
from billing.models.charge import Charge
from billing.models.default_account import DefaultAccount
from billing.models.hold import Hold
from billing.models.notice import Announcement, Notice, NoticeOutcome
from billing.models.payer_change import PayerChange
from billing.models.payer_change_item import PayerChangeItem
from billing.models.payer_correction import PayerCorrection
from billing.models.payer_lock import PayerLock
from billing.models.suspension import Suspension
from billing.models.unbound_project import UnboundProject
from billing.models.usage import UsageEvent, UsageIntake, UsageKey, UsageMeter
from billing.models.usage_period import UsageAssignment, UsageClosing
from billing.models.usage_rollup import UsageRollup

__all__ = [
    "AccountPayer",
    "Announcement",
    "ApprovalRequest",
    "BillingAccount",
    "BillingAccountAffiliation",
    "BillingAccountBinding",
    "Charge",
    "DefaultAccount",
    "Hold",
    "Notice",
    "NoticeOutcome",
    "PayerChange",
    "PayerChangeItem",
    "PayerCorrection",
    "PayerLock",
    "Suspension",
    "UnboundProject",
    "UsageAssignment",
    "UsageClosing",
    "UsageEvent",
    "UsageIntake",
    "UsageKey",
    "UsageMeter",
    "UsageRollup",
]
