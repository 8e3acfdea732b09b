"""Example manifests, bodies and answers of payer changes for the OpenAPI documents."""

from typing import Any

PREVIEW: dict[str, Any] = {
    "projects": 3,
    "payers": [{"account": "acme-corp-us", "projects": 2}],
    "unboundCount": 1,
    "unbound": ["data-pipeline"],
    "locked": [
        {
            "project": "webapp-backend",
            "reason": "PayerLocked",
            "message": "the payer of webapp-backend is locked since 2026-11-02 by operator (regulated workload):"
            " unlock it first",
        }
    ],
    "refused": [
        {"project": "webapp-old", "reason": "ProjectArchived", "message": "project webapp-old is archived"},
    ],
    "obstacle": "billing account acme-corp-emea is Suspended, not Ready: under review",
    "usage": [
        {"service": "compute", "meter": "cpu-seconds", "unit": "s", "last30Days": "7201", "presentMonth": "310.5"}
    ],
    "currencies": ["USD"],
    "currencyAfter": "EUR",
    "findings": [
        {
            "severity": "Warning",
            "field": "spec.preferences.invoiceLanguage",
            "message": "invoices are expected in the language of the country",
        }
    ],
    "notIncludedCount": 1,
    "notIncluded": ["webapp-new"],
}
PAYER_CHANGE: dict[str, Any] = {
    "metadata": {"name": "us-to-emea", "namespace": "acme-corp"},
    "spec": {
        "projects": ["webapp-frontend"],
        "toAccountRef": {"name": "acme-corp-emea"},
        "atomic": False,
        "reason": "The web department moves to EMEA.",
    },
    "status": {
        "phase": "Scheduled",
        "effectiveAt": "2026-11-29T10:30:00.104220Z",
        "createdBy": "user:billing-admin",
        "counts": {"total": 1, "pending": 1, "done": 0, "failed": 0, "cancelled": 0},
        "conditions": [
            {
                "type": "WillTakeEffect",
                "status": "True",
                "observedGeneration": 1,
                "lastTransitionTime": "2026-11-29T10:30:00Z",
                "reason": "AccountReady",
                "message": "",
            },
            {
                "type": "Complete",
                "status": "False",
                "observedGeneration": 1,
                "lastTransitionTime": "2026-11-29T10:30:00Z",
                "reason": "Scheduled",
                "message": "",
            },
        ],
    },
}
ITEMS: dict[str, Any] = {
    "metadata": {"continue": "gAAAAABm"},
    "items": [
        {
            "project": "webapp-frontend",
            "phase": "Done",
            "effectiveAt": "2027-02-01T00:00:00.000000Z",
            "binding": "us-to-emea-webapp-frontend",
            "settledAt": "2027-02-01T00:00:02.104220Z",
        }
    ],
}
PLANNED_PAYER: dict[str, Any] = {
    "project": "webapp-frontend",
    "account": "acme-corp-emea",
    "at": "2027-02-01T00:00:00.000000Z",
    "payerChange": "us-to-emea",
    "obstacle": "billing account acme-corp-emea is Suspended, not Ready: under review",
}
CANCEL: dict[str, Any] = {"reason": "The move is put off.", "projects": ["webapp-backend"]}
RETRY: dict[str, Any] = {"reason": "The account is Ready again."}
