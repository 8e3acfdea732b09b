"""The three examples of the specification, as manifests, all of one organization (docs/architecture.md, "Names")."""

from copy import deepcopy
from typing import Any

ACCOUNT_YAML = """\
apiVersion: billing.milo.io/v1alpha1
kind: BillingAccount
metadata:
  name: acme-corp-us
  namespace: acme-corp
  annotations:
    kubernetes.io/description: "Primary billing account for ACME Corp US operations"
spec:
  currencyCode: USD
  # Configures the payment terms of the account
  paymentTerms:
    netDays: 30
    # Monthly, Quarterly, etc
    invoiceFrequency: Monthly
    invoiceDayOfMonth: 1
  paymentProfile:
    creditCard:
      cardReference: cc-12345
"""
BINDING_YAML = """\
apiVersion: billing.milo.io/v1alpha1
kind: BillingAccountBinding
metadata:
  name: acme-corp-us-webapp-frontend-billing
  namespace: acme-corp
spec:
  projectRef:
    name: webapp-frontend
  billingAccountRef:
    name: acme-corp-us
"""
PROJECT_YAML = """\
apiVersion: resources.milo.io/v1alpha1
kind: Project
metadata:
  name: webapp-frontend
  annotations:
    kubernetes.io/description: "Frontend services for the main web application"
spec:
  organizationRef:
    name: acme-corp
"""
_ACCOUNT: dict[str, Any] = {
    "apiVersion": "billing.milo.io/v1alpha1",
    "kind": "BillingAccount",
    "metadata": {
        "name": "acme-corp-us",
        "namespace": "acme-corp",
        "annotations": {"kubernetes.io/description": "Primary billing account for ACME Corp US operations"},
    },
    "spec": {
        "currencyCode": "USD",
        "paymentTerms": {"netDays": 30, "invoiceFrequency": "Monthly", "invoiceDayOfMonth": 1},
        "paymentProfile": {"creditCard": {"cardReference": "cc-12345"}},
    },
}


GERMAN_PREFERENCES = {
    "country": "DE",
    "customerKind": "government",
    "taxRegistrations": [{"country": "DE", "number": "DE136695976"}, {"country": "FR", "number": "FR40303265045"}],
    "invoiceLanguage": "de-DE",
    "invoiceFormat": "XRECHNUNG",
    "eInvoicing": {
        "standard": "XRECHNUNG",
        "identifiers": {"peppolParticipantId": "9930:de136695976", "leitwegId": "991-03730-19"},
    },
    "dataResidency": "EU",
}


def an_account(name: str = "acme-corp-us", /, **spec: Any) -> dict[str, Any]:
    """The account of the specification under another name; `spec` replaces fields, None removes one."""
    manifest = deepcopy(_ACCOUNT)
    manifest["metadata"]["name"] = name
    manifest["spec"] = {key: value for key, value in (manifest["spec"] | spec).items() if value is not None}
    return manifest


def a_binding(project: str, account: str, name: str = "") -> dict[str, Any]:
    return {
        "apiVersion": "billing.milo.io/v1alpha1",
        "kind": "BillingAccountBinding",
        "metadata": {"name": name or f"{account}-{project}"},
        "spec": {"projectRef": {"name": project}, "billingAccountRef": {"name": account}},
    }


def a_project(name: str = "webapp-frontend", organization: str = "acme-corp", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "resources.milo.io/v1alpha1",
        "kind": "Project",
        "metadata": {"name": name},
        "spec": {"organizationRef": {"name": organization}, **spec},
    }


def an_organization(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "resources.milo.io/v1alpha1",
        "kind": "Organization",
        "metadata": {"name": name},
        "spec": spec,
    }
