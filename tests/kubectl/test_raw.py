"""`kubectl get --raw` and `create --raw`, and what older clients look for before anything else."""

import json

import pytest

from tests.kubectl.commands import Kubectl
from tests.kubectl.conftest import Acme

pytestmark = pytest.mark.once

ACCOUNT = "/apis/billing.milo.io/v1alpha1/namespaces/acme-corp/billingaccounts/us"


def test_get_raw_is_for_people_to_read(admin: Kubectl, acme: Acme) -> None:
    for path in (f"{ACCOUNT}/projects", f"{ACCOUNT}/history", ACCOUNT, "/api/v1/namespaces", "/version", "/healthz"):
        shown = admin("get", "--raw", path)
        assert json.loads(shown)
        if path != "/healthz":
            assert shown.startswith("{\n  "), path
            assert shown.endswith("}\n")


def test_an_act_by_raw_takes_yaml(operator: Kubectl, acme: Acme) -> None:
    act = "spec:\n  type: Dispute\n  message: an invoice is disputed\n"
    assert json.loads(operator("create", "--raw", f"{ACCOUNT}/hold", "-f", "-", stdin=act))["kind"] == "BillingAccount"
    assert "Dispute" in operator("get", "--raw", f"{ACCOUNT}/closurechecklist")


def test_there_are_no_custom_resource_definitions(admin: Kubectl, acme: Acme) -> None:
    assert admin("get", "crd") == ""
    assert json.loads(admin("get", "crds", "-o=json"))["items"] == []
    assert 'customresourcedefinitions.apiextensions.k8s.io "x" not found' in admin.refused("get", "crd", "x")
    assert "customresourcedefinitions" in admin("api-resources", "--api-group=apiextensions.k8s.io")
    assert admin("get", "crd", "--watch", "--request-timeout=2s") == ""
