"""Example manifests, bodies and answers of accounts under accounts for the OpenAPI documents."""

from datetime import UTC, datetime
from typing import Any

from billing.models.usage_partitions import next_month

# an affiliation begins in a month to come, and the examples are run as they are written
_MONTH = f"{next_month(datetime.now(UTC).date()):%Y-%m}"

AFFILIATION: dict[str, Any] = {
    "metadata": {"name": "apac-under-us", "namespace": "acme-corp"},
    "spec": {
        "billingAccountRef": {"name": "acme-corp-apac"},
        "parentRef": {"name": "acme-corp-us"},
        "payer": "Self",
        "effectiveFrom": _MONTH,
        "reason": "One report for the group.",
    },
    "status": {
        "phase": "Scheduled",
        "createdBy": "user:billing-admin",
        "conditions": [
            {
                "type": "WillTakeEffect",
                "status": "True",
                "observedGeneration": 1,
                "lastTransitionTime": "2026-11-29T10:30:00Z",
                "reason": "NoObstacle",
                "message": "",
            },
            {
                "type": "TakenEffect",
                "status": "False",
                "observedGeneration": 1,
                "lastTransitionTime": "2026-11-29T10:30:00Z",
                "reason": "Scheduled",
                "message": "",
            },
        ],
    },
}
CANCEL: dict[str, Any] = {"reason": "The group is put off."}
PAYER_OF_RECORD: dict[str, Any] = {
    "account": "acme-corp-emea",
    "month": "2027-02",
    "payerOfRecord": "acme-corp-us",
    "above": ["acme-corp-us"],
}
HIERARCHY: dict[str, Any] = {
    "metadata": {"continue": "gAAAAABm"},
    "month": "2027-02",
    "items": [
        {"account": "acme-corp-us", "depth": 1, "payerOfRecord": "acme-corp-us", "phase": "Ready"},
        {
            "account": "acme-corp-emea",
            "parent": "acme-corp-us",
            "depth": 2,
            "payerOfRecord": "acme-corp-us",
            "phase": "Ready",
        },
    ],
}
