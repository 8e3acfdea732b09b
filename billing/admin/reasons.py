"""Labels of the reasons that billing and projects write: those of events, and those of an account's phase."""

from django.utils.translation import gettext_lazy

from billing.admin.payment_labels import FIELD_LABELS, METHOD_LABELS
from billing.admin.wording import GROUPS, label, money_in_words
from billing.currencies import ALLOWED
from billing.models import (
    ApprovalRequest,
    BillingAccount,
    BillingAccountAffiliation,
    BillingAccountBinding,
    Hold,
    Notice,
    PayerChange,
)
from billing.reason_codes import ReasonCode
from milo.admin import reasons
from milo.admin.messages import register_values
from milo.admin.wording import register_labels

LABELS = {
    "AffiliationActive": gettext_lazy("Affiliation took effect"),
    "AffiliationAtRisk": gettext_lazy("Affiliation at risk"),
    "AffiliationCancelled": gettext_lazy("Affiliation cancelled"),
    "AffiliationEnded": gettext_lazy("Affiliation ended"),
    "AffiliationFailed": gettext_lazy("Affiliation failed"),
    "AffiliationOnTrack": gettext_lazy("Affiliation no longer at risk"),
    "AffiliationPlanned": gettext_lazy("Affiliation planned"),
    "AffiliationRelabelled": gettext_lazy("Labels of the affiliation changed"),
    "AffiliationSuperseded": gettext_lazy("Affiliation superseded"),
    "ApprovalExpired": gettext_lazy("Approval request of the account expired"),
    "ApprovalRejected": gettext_lazy("Approval request of the account rejected"),
    "ApprovalRelabelled": gettext_lazy("Labels of the approval request changed"),
    "ApprovalRenewed": gettext_lazy("Approval request renewed"),
    "ApprovalRequested": gettext_lazy("Approval requested"),
    "ApprovalTakenOver": gettext_lazy("Approval request taken over"),
    "ApprovalWithdrawn": gettext_lazy("Approval request of the account withdrawn"),
    "Approved": gettext_lazy("Request approved"),
    "BillingAccountActive": gettext_lazy("Active, and ready for projects"),
    "BillingAccountArchived": gettext_lazy("Account archived"),
    "BillingAccountAssessed": gettext_lazy("Regional rules checked"),
    "BillingAccountClosed": gettext_lazy("Account closed by approval"),
    "BillingAccountIncomplete": gettext_lazy("Something is missing on the account"),
    "BillingAccountOpened": gettext_lazy("Account opened"),
    "BillingAccountReactivated": gettext_lazy("Account reactivated"),
    "BillingAccountReady": gettext_lazy("Account became ready"),
    "BillingAccountReopened": gettext_lazy("Account reopened"),
    "BillingAccountRevised": gettext_lazy("Account revised"),
    "BillingAccountSuspended": gettext_lazy("Account suspended"),
    "BindingRelabelled": gettext_lazy("Labels of the binding changed"),
    "BindingsRedated": gettext_lazy("Bindings redated"),
    "ChargeRelabelled": gettext_lazy("Labels of the charge changed"),
    "ChargeReported": gettext_lazy("Charge reported"),
    "ChargeSettled": gettext_lazy("Charge settled"),
    "ComplianceErrors": gettext_lazy("Breaks a regional rule"),
    "ComplianceWarnings": gettext_lazy("Warnings of regional rules"),
    "DefaultAccount": gettext_lazy("Bound to the default account"),
    "DefaultAccountSet": gettext_lazy("Default account set"),
    "Ended": gettext_lazy("Binding ended"),
    "Expired": gettext_lazy("Request expired"),
    "HierarchyChanged": gettext_lazy("Hierarchy changed"),
    "HoldReleased": gettext_lazy("Hold released"),
    "HoldSet": gettext_lazy("Hold set"),
    "NoticeDelivered": gettext_lazy("Notice delivered"),
    "NoticeUndeliverable": gettext_lazy("Notice undeliverable"),
    "OrganizationCreated": gettext_lazy("Organization created"),
    "OrganizationRevised": gettext_lazy("Organization revised"),
    "PayerChangeAtRisk": gettext_lazy("Payer change at risk"),
    "PayerChangeBegun": gettext_lazy("Payer change begun"),
    "PayerChangeCancelled": gettext_lazy("Payer change cancelled"),
    "PayerChangeCompleted": gettext_lazy("Payer change completed"),
    "PayerChangeCreated": gettext_lazy("Payer change planned"),
    "PayerChangeFailed": gettext_lazy("Payer change failed"),
    "PayerChangeOnTrack": gettext_lazy("Payer change no longer at risk"),
    "PayerChangePartlyCompleted": gettext_lazy("Payer change partly completed"),
    "PayerChangeReduced": gettext_lazy("Projects taken out of the payer change"),
    "PayerChangeRelabelled": gettext_lazy("Labels of the payer change changed"),
    "PayerChangeRetried": gettext_lazy("Payer change retried"),
    "PayerChanged": gettext_lazy("Payer changed"),
    "PayerCorrected": gettext_lazy("Payer corrected"),
    "PayerLocked": gettext_lazy("Payer locked"),
    "PayerOfRecordChanged": gettext_lazy("Payer of record changed"),
    "PayerOfRecordNotReady": gettext_lazy("Payer of record not ready"),
    "PayerOfRecordReady": gettext_lazy("Payer of record ready again"),
    "PayerOfRecordRevised": gettext_lazy("Payer of record revised"),
    "PayerReactivated": gettext_lazy("Payer reactivated"),
    "PayerSuspended": gettext_lazy("Payer suspended"),
    "PayerUnlocked": gettext_lazy("Payer unlocked"),
    "PaymentProfileExpired": gettext_lazy("Payment profile expired"),
    "PaymentProfileExpiring": gettext_lazy("Payment profile expires soon"),
    "PaymentTermsRevised": gettext_lazy("Payment terms revised"),
    "PersonalDataPurged": gettext_lazy("Personal data purged"),
    "ProjectArchived": gettext_lazy("Project archived"),
    "ProjectCreated": gettext_lazy("Project created"),
    "ProjectLinked": gettext_lazy("Project linked"),
    "ProjectRevised": gettext_lazy("Project revised"),
    "ProjectUnlinked": gettext_lazy("Project unlinked"),
    "PurgeDateSet": gettext_lazy("Date of the purge set"),
    "PurgePostponed": gettext_lazy("Purge postponed"),
    "Redated": gettext_lazy("Binding redated"),
    "Rejected": gettext_lazy("Request rejected"),
    "ResponsibilityBroken": gettext_lazy("Gap in who pays"),
    "RoleGranted": gettext_lazy("Role granted"),
    "RoleRevoked": gettext_lazy("Role revoked"),
    "SuccessfulBinding": gettext_lazy("Project bound"),
    "Superseded": gettext_lazy("Binding superseded"),
    "SuspensionOpened": gettext_lazy("Suspension opened"),
    "SuspensionResolved": gettext_lazy("Suspension resolved"),
    "UsageAssigned": gettext_lazy("Usage assigned"),
    "UsageClosed": gettext_lazy("Month of usage closed"),
    "ValidationPending": gettext_lazy("Waits for validation"),
    "ValidationPostponed": gettext_lazy("Validation postponed"),
    "VerifierUnavailable": gettext_lazy("Waits for a verifier that does not answer"),
    "Withdrawn": gettext_lazy("Request withdrawn"),
}
_CODES = dict(
    choice for codes in (Hold.Type, Notice.About, ApprovalRequest.Action, ReasonCode) for choice in codes.choices
)
# of two words or more, by which they are found in a message; charges and holds are words of people, too
_KINDS = (ApprovalRequest, BillingAccount, BillingAccountAffiliation, BillingAccountBinding, PayerChange)
_RESULTS = {"NoFindings": gettext_lazy("No findings")}
# plain words such as `brand` may be words of a sentence
_NAMES = [name for name in (*METHOD_LABELS, *FIELD_LABELS) if not name.islower()]
reasons.register(LABELS, messages=_RESULTS | _CODES | {kind.__name__: kind._meta.verbose_name or "" for kind in _KINDS})
register_labels(label, groups=GROUPS)
register_values(rf"(?<![\w.-])[0-9]+(?:\.[0-9]+)? (?:{'|'.join(sorted(ALLOWED))})(?![\w-])", money_in_words)
register_values(rf"\b(?:{'|'.join(_NAMES)})\b", label)
# id, confidence and sources of the rule that a finding names (`Finding.because`), in English or German
register_values(r" \((?:rule|Regel) [A-Za-z0-9_.-]+, [^()]*\)", lambda text: "")
