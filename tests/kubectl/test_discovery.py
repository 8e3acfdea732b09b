"""What there is: kubectl learns every name from the server."""

import json

import pytest

from tests.kubectl.commands import Kubectl

pytestmark = pytest.mark.once  # names of kinds are of the code, which reads no row for them


def test_kubectl_finds_every_kind_by_its_names(admin: Kubectl) -> None:
    listed = admin("api-resources", "--no-headers")
    # usage has events too; a bare name is the kind that is listed first
    rows = {line.split()[0]: line.split()[1:] for line in reversed(listed.splitlines())}
    assert rows["billingaccounts"] == ["ba", "billing.milo.io/v1alpha1", "true", "BillingAccount"]
    assert rows["billingaccountbindings"] == ["bab", "billing.milo.io/v1alpha1", "true", "BillingAccountBinding"]
    assert rows["organizations"] == ["org", "resources.milo.io/v1alpha1", "false", "Organization"]
    assert rows["projects"] == ["resources.milo.io/v1alpha1", "false", "Project"]
    assert rows["namespaces"] == ["ns", "v1", "false", "Namespace"]
    assert rows["events"] == ["ev", "v1", "true", "Event"]
    wide = admin("api-resources", "--api-group=billing.milo.io", "--categories=milo", "-o=wide")
    assert "get,list,watch,create,update,patch" in wide
    assert "delete" not in wide
    namespaced = admin("api-resources", "--namespaced=false", "-o=name").split()
    assert "projects.resources.milo.io" in namespaced
    assert "billingaccounts.billing.milo.io" not in namespaced


def test_kubectl_finds_every_version(admin: Kubectl) -> None:
    versions = admin("api-versions").split()
    assert {"v1", "billing.milo.io/v1alpha1", "resources.milo.io/v1alpha1"} <= set(versions)
    server = json.loads(admin("version", "-o=json"))["serverVersion"]
    assert (server["major"], int(server["minor"]) >= 32) == ("1", True)
    assert json.loads(admin("get", "--raw", "/version"))["gitVersion"] == server["gitVersion"]
