"""The type of an event by its reason: Warning (`kubectl events --types=Warning`) or Normal.

A warning is something to look into: something failed, was refused or was stopped, or soon will be. A test fails for a
reason that is in neither list.
"""

from milo.kube.core.event_types import classify

WARNING = (
    "ApprovalExpired",
    "ApprovalRejected",
    "BillingAccountIncomplete",
    "BillingAccountSuspended",
    "ComplianceErrors",
    "ComplianceWarnings",
    "Expired",
    "NoticeUndeliverable",
    "PayerSuspended",
    "PaymentProfileExpired",
    "PaymentProfileExpiring",
    "PurgePostponed",
    "Rejected",
    "ResponsibilityBroken",
    "SuspensionOpened",
    "ValidationPostponed",
)
NORMAL = (
    "ApprovalRelabelled",
    "ApprovalRenewed",
    "ApprovalRequested",
    "ApprovalTakenOver",
    "ApprovalWithdrawn",
    "Approved",
    "BillingAccountArchived",
    "BillingAccountAssessed",
    "BillingAccountClosed",
    "BillingAccountOpened",
    "BillingAccountReactivated",
    "BillingAccountReady",
    "BillingAccountReopened",
    "BillingAccountRevised",
    "BindingRelabelled",
    "ChargeRelabelled",
    "ChargeReported",
    "ChargeSettled",
    "Ended",
    "HoldReleased",
    "HoldSet",
    "OrganizationCreated",
    "OrganizationRevised",
    "PayerChanged",
    "PayerReactivated",
    "PaymentTermsRevised",
    "PersonalDataPurged",
    "ProjectArchived",
    "ProjectCreated",
    "ProjectLinked",
    "ProjectRevised",
    "ProjectUnlinked",
    "PurgeDateSet",
    "RoleGranted",
    "SuccessfulBinding",
    "Superseded",
    "SuspensionResolved",
    "UsageAssigned",
    "UsageClosed",
    "Withdrawn",
)
classify(normal=NORMAL, warning=WARNING)
