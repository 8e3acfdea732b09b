"""Example manifests, bodies and answers for the OpenAPI documents. Tests run them exactly as written."""

from typing import Any

_READY = {"type": "Ready", "status": "True", "observedGeneration": 1, "lastTransitionTime": "2024-01-15T10:30:00Z"}

ORGANIZATION: dict[str, Any] = {
    "metadata": {"name": "acme-corp"},
    "spec": {"displayName": "ACME Corp"},
    "status": {
        "phase": "Active",
        "conditions": [{**_READY, "reason": "OrganizationActive", "message": "Organization is active"}],
    },
}
GRANT_ROLE = {"user": "acme-viewer", "role": "billing-viewer", "reason": "reads the invoices"}
REVOKE_ROLE = {"user": "acme-viewer", "role": "billing-viewer", "reason": "has left the department"}
MEMBERS: dict[str, Any] = {
    "items": [
        {
            "user": "acme-admin",
            "role": "billing-admin",
            "active": True,
            "grantedAt": "2024-01-15T10:30:00.000001Z",
            "grantedBy": "user:operator",
        }
    ]
}
ROLE_HISTORY: dict[str, Any] = {
    "items": [
        {
            "at": "2024-02-01T08:00:00.000001Z",
            "user": "acme-viewer",
            "role": "billing-viewer",
            "reason": "RoleRevoked",
            "message": "has left the department",
            "actor": "user:acme-admin",
            "requestID": "5b2f0f0e-7a5d-4a8e-9d57-0f3c1f6d9b11",
        }
    ]
}
PROJECT: dict[str, Any] = {
    "metadata": {
        "name": "webapp-frontend",
        "annotations": {"kubernetes.io/description": "Frontend services for the main web application"},
    },
    "spec": {
        "organizationRef": {"name": "acme-corp"},
        "displayName": "Web application, frontend",
        "contactEmailAddresses": ["frontend@acme-corp.example"],
    },
    "status": {
        "phase": "Active",
        "conditions": [{**_READY, "reason": "ProjectActive", "message": "Project is active"}],
    },
}
