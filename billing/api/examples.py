"""Example manifests, bodies and answers for the OpenAPI documents. Tests run them exactly as written."""

from typing import Any

from milo.errors import Cause
from milo.kube.illustrations import Illustrations, register
from projects.api.examples import PROJECT

ACCOUNT: dict[str, Any] = {
    "metadata": {"name": "acme-corp-us", "namespace": "acme-corp", "labels": {"region": "us"}},
    "spec": {
        "displayName": "ACME Corp US",
        "currencyCode": "USD",
        "paymentTerms": {
            "netDays": 30,
            "invoiceFrequency": "Monthly",
            "invoiceDayOfMonth": 1,
            "earlyPaymentDiscount": {"percent": "2", "days": 10},
            "latePaymentPenalty": {"annualRatePercent": "12", "graceDays": 5},
        },
        "paymentProfile": {"creditCard": {"cardReference": "cc-12345"}},
        "invoiceEmailAddresses": ["invoices-us@acme-corp.example"],
        "preferences": {
            "country": "US",
            "customerKind": "business",
            "taxRegistrations": [{"country": "US", "number": "911144442"}],
            "invoiceLanguage": "en-US",
            "invoiceFormat": "PDF",
        },
    },
    "status": {
        "phase": "Ready",
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "observedGeneration": 1,
                "lastTransitionTime": "2024-01-15T10:30:00Z",
                "reason": "BillingAccountActive",
                "message": "Billing account is active and ready for project linking",
            },
            {
                "type": "Compliant",
                "status": "True",
                "observedGeneration": 1,
                "lastTransitionTime": "2024-01-15T10:30:00Z",
                "reason": "NoFindings",
                "message": "",
            },
        ],
        "taxRegistrations": [
            {
                "country": "US",
                "scheme": "NationalBusinessID",
                "name": "EIN",
                "number": "911144442",
                "form": "FormatValid",
            }
        ],
        "linkedProjectsCount": 8,
    },
}
BINDING: dict[str, Any] = {
    "metadata": {"name": "acme-corp-us-webapp-frontend-billing", "namespace": "acme-corp"},
    "spec": {"projectRef": {"name": "webapp-frontend"}, "billingAccountRef": {"name": "acme-corp-us"}},
    "status": {
        "phase": "Active",
        "conditions": [
            {
                "type": "Bound",
                "status": "True",
                "observedGeneration": 1,
                "lastTransitionTime": "2024-01-15T14:22:05Z",
                "reason": "SuccessfulBinding",
                "message": "Project successfully bound to billing account",
            }
        ],
        "billingResponsibility": {"establishedAt": "2024-01-15T14:22:05.000001Z", "currentAccount": "acme-corp-us"},
    },
}
APPROVAL_REQUEST: dict[str, Any] = {
    "metadata": {"name": "acme-corp-us-net-45", "namespace": "acme-corp"},
    "spec": {
        "billingAccountRef": {"name": "acme-corp-us"},
        "action": "ReviseTerms",
        "justification": "Agreed in the renewal of the contract.",
        "proposal": {"paymentTerms": {"netDays": 45, "invoiceFrequency": "Monthly", "invoiceDayOfMonth": 1}},
    },
    "status": {
        "phase": "Pending",
        "conditions": [
            {
                "type": "Approved",
                "status": "Unknown",
                "observedGeneration": 1,
                "lastTransitionTime": "2024-01-15T10:30:00Z",
                "reason": "Pending",
                "message": "Waits until 2024-01-29T10:30:00Z for a second person to decide",
            }
        ],
        "requester": "user:requester",
        "requestedAt": "2024-01-15T10:30:00Z",
        "expiresAt": "2024-01-29T10:30:00Z",
        "reviewed": {"phase": "Ready"},
        "reviewedHash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    },
}
CHARGE: dict[str, Any] = {
    "metadata": {"name": "invoice-2024-001", "namespace": "acme-corp"},
    "spec": {
        "billingAccountRef": {"name": "acme-corp-us"},
        "externalId": "invoice-2024-001",
        "amount": "1250.5",
        "currencyCode": "USD",
        "dueDate": "2024-02-14",
        "description": "January 2024",
    },
    "status": {
        "conditions": [
            {
                "type": "Settled",
                "status": "False",
                "observedGeneration": 1,
                "lastTransitionTime": "2024-01-15T10:30:00Z",
                "reason": "Outstanding",
                "message": "",
            }
        ]
    },
}
SUSPEND = {"reasonCode": "PaymentPastDue", "message": "Invoice invoice-2024-001 is past due."}
RESOLVE_SUSPENSION = {
    "suspension": "5d0a5f0e-6a0b-4c0e-8f4a-2b9d3c1e7a66",
    "evidence": {"settlementReference": "settlement-2024-001"},
}
HOLD = {
    "type": "LegalHold",
    "message": "The account is kept as it is for a legal reason.",
    "internalNote": "Request of the legal department, case 2024-17.",
}
COMMENT = {"comment": "Checked against the contract."}
APPROVE = {**COMMENT, "reviewedHash": APPROVAL_REQUEST["status"]["reviewedHash"]}
SETTLE = {"reference": "settlement-2024-001", "settledAt": "2024-02-10T09:00:00Z"}
SUSPEND_PREVIEW = {
    "projects": ["webapp-frontend"],
    "recipients": ["frontend@acme-corp.example", "invoices-us@acme-corp.example"],
    "subject": "Billing account acme-corp-us is suspended",
    "text": "Invoice invoice-2024-001 is past due.",
}
CLOSURE_CHECKLIST = {
    "closable": False,
    "blockers": [
        {
            "type": "BillingAccountBinding",
            "name": "acme-corp-us-webapp-frontend-billing",
            "message": "Project webapp-frontend is paid by this account.",
            "fix": "Bind the project to another account.",
            "who": "billing-user of the organization",
        }
    ],
}
HOLDS = {
    "items": [
        {
            "uid": "c1e0c7c0-6f0a-4c36-9b8b-6b1f7b0a5f10",
            "type": "LegalHold",
            "message": "The account is kept as it is for a legal reason.",
            "setAt": "2024-02-15T08:00:00.000001Z",
            "setBy": "user:operator",
        }
    ]
}
SUSPENSIONS = {
    "items": [
        {
            "uid": "5d0a5f0e-6a0b-4c0e-8f4a-2b9d3c1e7a66",
            "reasonCode": "PaymentPastDue",
            "message": "Invoice invoice-2024-001 is past due.",
            "suspendedAt": "2024-02-15T08:00:00.000001Z",
            "suspendedBy": "user:operator",
            "evidenceAskedFor": ["settlementReference"],
        }
    ]
}
PAYMENT_SCHEDULE = {
    "currencyCode": "USD",
    "items": [
        {
            "invoiceDate": "2026-03-01",
            "periodStart": "2026-02-01",
            "periodEnd": "2026-03-01",
            "dueDate": "2026-03-31",
            "payableBy": "2026-03-31",
            "discount": {"deadline": "2026-03-11", "amount": "200.00", "payable": "9800.00"},
            "lateInterest": {"days": 0, "amount": "0.00"},
        }
    ],
}
AS_OF = {
    "at": "2024-02-15T08:00:00.000000Z",
    "name": "acme-corp-us",
    "spec": {"currencyCode": "USD", "paymentTerms": {"netDays": 30, "invoiceFrequency": "Monthly"}},
    "status": {"phase": "Ready", "linkedProjectsCount": 1},
}
PAID_FOR = {
    "at": "2024-02-15T08:00:00.000000Z",
    "scope": "paid",
    "items": [
        {
            "project": "webapp-frontend",
            "binding": "acme-corp-us-webapp-frontend-billing",
            "account": "acme-corp-us",
            "establishedAt": "2024-01-15T10:30:00.000001Z",
        }
    ],
}
HISTORY = {
    "metadata": {"continue": "WyIyMDI0LTAyLTE1VDA4OjAwOjAwLjAwMDAwMSswMDowMCIsMCw0Ml0"},
    "items": [
        {
            "at": "2024-02-15T08:00:00.000001Z",
            "kind": "BillingAccount",
            "name": "acme-corp-us",
            "reason": "BillingAccountRevised",
            "actor": "user:operator",
            "requestID": "6f1c2f4a-8f39-4a7c-9f0a-3a3f1d0b7a55",
            "changes": [{"field": "net_days", "before": 30, "after": 45}],
        }
    ],
}
BILLED_PROJECT: dict[str, Any] = PROJECT | {
    "status": PROJECT["status"]
    | {"billingResponsibility": {"account": "acme-corp-us", "establishedAt": "2024-01-15T14:22:05.000001Z"}}
}
LOCK_PAYER = {"reason": "regulated workload"}
UNLOCK_PAYER = {"reason": "moves to EMEA, as agreed with the auditors"}
BILLING_HISTORY: dict[str, Any] = {
    "apiVersion": "resources.milo.io/v1alpha1",
    "kind": "BillingHistory",
    "project": "webapp-frontend",
    "items": [
        {
            "binding": "acme-corp-labs-webapp-frontend-billing",
            "account": "acme-corp-labs",
            "phase": "Superseded",
            "establishedAt": "2024-01-10T09:00:00.000001Z",
            "endedAt": "2024-01-15T14:22:05.000001Z",
            "endReason": "Superseded",
            "supersededBy": "acme-corp-us-webapp-frontend-billing",
        },
        {
            "binding": "acme-corp-us-webapp-frontend-billing",
            "account": "acme-corp-us",
            "payersOfRecord": [{"payerOfRecord": "acme-corp-group", "from": "2024-03"}],
            "phase": "Active",
            "establishedAt": "2024-01-15T14:22:05.000001Z",
        },
    ],
    "locks": [
        {"by": "user:operator", "at": "2024-01-16T08:00:00.000001Z", "reason": "regulated workload"},
    ],
}
register(
    Illustrations(
        person="acme-admin",
        role="billing-admin",
        plural="projects",
        fixed="charges",
        reason="BillingAccountOpened",
        cause=Cause("spec.currencyCode", "is not a currency", "FieldValueNotSupported"),
    )
)
