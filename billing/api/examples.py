"""Manifests that show the kinds in the API's documents; they are tested as they stand."""

from typing import Any

ACCOUNT: dict[str, Any] = {
    "metadata": {"name": "acme-corp-us", "namespace": "acme-corp", "labels": {"region": "us"}},
    "spec": {
        "displayName": "ACME Corp US",
        "currencyCode": "USD",
        "paymentTerms": {"netDays": 30, "invoiceFrequency": "Monthly", "invoiceDayOfMonth": 1},
        "paymentProfile": {"creditCard": {"cardReference": "cc-12345"}},
        "invoiceEmailAddresses": ["invoices-us@acme-corp.example"],
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
