"""Example manifests, bodies and answers of payer changes for the OpenAPI documents."""

from typing import Any

PREVIEW: dict[str, Any] = {
    "projects": 2,
    "payers": [{"account": "acme-corp-us", "projects": 2}],
    "unboundCount": 0,
    "usage": [
        {"service": "compute", "meter": "cpu-seconds", "unit": "s", "last30Days": "7201", "presentMonth": "310.5"}
    ],
    "currencies": ["USD"],
    "currencyAfter": "EUR",
    "notIncludedCount": 0,
}
PAYER_CHANGE: dict[str, Any] = {
    "metadata": {"name": "us-to-emea", "namespace": "acme-corp"},
    "spec": {
        "projects": ["webapp-frontend", "webapp-backend"],
        "toAccountRef": {"name": "acme-corp-emea"},
        "effectiveAt": "2027-02-01T00:00:00Z",
        "atomic": False,
        "reason": "The web department moves to EMEA.",
    },
    "status": {
        "phase": "Scheduled",
        "effectiveAt": "2027-02-01T00:00:00.000000Z",
        "createdBy": "user:billing-admin",
        "counts": {"total": 2, "pending": 2, "done": 0, "failed": 0, "cancelled": 0},
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
    "items": [
        {
            "project": "webapp-frontend",
            "phase": "Done",
            "effectiveAt": "2027-02-01T00:00:00.000000Z",
            "binding": "us-to-emea-webapp-frontend",
            "settledAt": "2027-02-01T00:00:02.104220Z",
        }
    ]
}
PLANNED_PAYER: dict[str, Any] = {
    "project": "webapp-frontend",
    "account": "acme-corp-emea",
    "at": "2027-02-01T00:00:00.000000Z",
    "payerChange": "us-to-emea",
}
CANCEL: dict[str, Any] = {"reason": "The move is put off.", "projects": ["webapp-backend"]}
RETRY: dict[str, Any] = {"reason": "The account is Ready again."}
