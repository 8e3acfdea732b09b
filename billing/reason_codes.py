"""Reason codes of suspensions, and the evidence that resolves each (docs/compliance.md, "Suspension reason codes")."""

from dataclasses import dataclass

from django.db import models
from django.utils.translation import gettext_lazy


class Category(models.TextChoices):
    PAYMENT_FAILURE = "PAYMENT_FAILURE", gettext_lazy("Payment failure")
    COMPLIANCE_VIOLATION = "COMPLIANCE_VIOLATION", gettext_lazy("Compliance violation")
    ADMINISTRATIVE = "ADMINISTRATIVE", gettext_lazy("Administrative")


class ReasonCode(models.TextChoices):
    PAYMENT_PAST_DUE = "PaymentPastDue", gettext_lazy("Payment past due")
    PAYMENT_METHOD_INVALID = "PaymentMethodInvalid", gettext_lazy("Payment method invalid")
    PAYMENT_DECLINED_HARD = "PaymentDeclinedHard", gettext_lazy("Payment declined for good")
    MANDATE_REVOKED = "MandateRevoked", gettext_lazy("Mandate revoked")
    CHARGEBACK = "Chargeback", gettext_lazy("Chargeback")
    CREDIT_LIMIT_EXCEEDED = "CreditLimitExceeded", gettext_lazy("Credit limit exceeded")
    TAX_REGISTRATION_INVALID = "TaxRegistrationInvalid", gettext_lazy("Tax registration invalid")
    KYC_INCOMPLETE = "KycIncomplete", gettext_lazy("Know-your-customer check incomplete")
    SANCTIONS_MATCH = "SanctionsMatch", gettext_lazy("Sanctions match")
    TERMS_VIOLATION = "TermsViolation", gettext_lazy("Violation of the terms of service")
    FRAUD_SUSPECTED = "FraudSuspected", gettext_lazy("Fraud suspected")
    DATA_RESIDENCY_BREACH = "DataResidencyBreach", gettext_lazy("Breach of data residency")
    CUSTOMER_REQUEST = "CustomerRequest", gettext_lazy("Request of the customer")
    LEGAL_HOLD = "LegalHold", gettext_lazy("Legal hold")
    COURT_ORDER = "CourtOrder", gettext_lazy("Court order")
    OWNERSHIP_DISPUTE = "OwnershipDispute", gettext_lazy("Dispute over ownership")
    MANUAL_REVIEW = "ManualReview", gettext_lazy("Manual review")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What resolves a suspension: the required references, and conditions on the account.

    `nothing_overdue` requires that the account has no overdue charge. `new_method` requires that one of the references
    is the account's present payment reference, `other_method` also that it differs from the one at the suspension.
    """

    category: Category
    references: tuple[str, ...]
    nothing_overdue: bool = False
    new_method: bool = False
    other_method: bool = False


_PAYMENT, _COMPLIANCE, _ADMINISTRATIVE = Category
_REVIEW = Evidence(_COMPLIANCE, ("reviewCase", "outcome"))
_ORDER = Evidence(_ADMINISTRATIVE, ("documentReference", "dateLifted"))
EVIDENCE: dict[str, Evidence] = {
    ReasonCode.PAYMENT_PAST_DUE: Evidence(_PAYMENT, ("settlementReference",), nothing_overdue=True),
    ReasonCode.PAYMENT_METHOD_INVALID: Evidence(_PAYMENT, ("methodReference",), new_method=True),
    ReasonCode.PAYMENT_DECLINED_HARD: Evidence(_PAYMENT, ("methodReference",), new_method=True, other_method=True),
    ReasonCode.MANDATE_REVOKED: Evidence(_PAYMENT, ("mandateReference", "mandateDate")),
    ReasonCode.CHARGEBACK: Evidence(_PAYMENT, ("caseReference", "repaymentReference")),
    ReasonCode.CREDIT_LIMIT_EXCEEDED: Evidence(_PAYMENT, ("paymentOrCreditApprovalReference",)),
    ReasonCode.TAX_REGISTRATION_INVALID: Evidence(_COMPLIANCE, ("taxRegistrationNumber", "registryCheckReference")),
    ReasonCode.KYC_INCOMPLETE: Evidence(_COMPLIANCE, ("verificationCase",)),
    ReasonCode.SANCTIONS_MATCH: Evidence(_COMPLIANCE, ("complianceOfficer", "clearanceReference")),
    ReasonCode.TERMS_VIOLATION: _REVIEW,
    ReasonCode.FRAUD_SUSPECTED: _REVIEW,
    ReasonCode.DATA_RESIDENCY_BREACH: Evidence(_COMPLIANCE, ("region", "approvalReference")),
    ReasonCode.CUSTOMER_REQUEST: Evidence(_ADMINISTRATIVE, ("requester", "ticket")),
    ReasonCode.LEGAL_HOLD: _ORDER,
    ReasonCode.COURT_ORDER: _ORDER,
    ReasonCode.OWNERSHIP_DISPUTE: Evidence(_ADMINISTRATIVE, ("signedAuthority",)),
    ReasonCode.MANUAL_REVIEW: Evidence(_ADMINISTRATIVE, ("reviewer", "note")),
}
