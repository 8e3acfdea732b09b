"""The official Python client, which learns the kinds from discovery: https://github.com/kubernetes-client/python"""

from collections.abc import Iterator

import pytest
from kubernetes.client import ApiClient
from kubernetes.config import new_client_from_config
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import ConflictError, MethodNotAllowedError, UnprocessibleEntityError

from billing.models import BillingAccount
from billing.services.accounts import AccountSpec, open_account
from projects.models import Organization
from tests.support import make
from tests.support.live import Live

BILLING = "billing.milo.io/v1alpha1"
ACCOUNT = {
    "apiVersion": BILLING,
    "kind": "BillingAccount",
    "metadata": {"name": "us", "labels": {"region": "us"}},
    "spec": {
        "currencyCode": "USD",
        "paymentTerms": {"netDays": 30, "invoiceFrequency": "Monthly", "invoiceDayOfMonth": 1},
        "paymentProfile": make.CARD,
    },
}


@pytest.fixture
def client(live: Live, organization: Organization) -> Iterator[DynamicClient]:
    admin = make.a_person("acme-admin", roles={organization: "billing-admin"})
    api: ApiClient = new_client_from_config(str(live.kubeconfig(admin, "acme-corp")))
    with api:
        # a cache of discovery of this test alone
        yield DynamicClient(api, cache_file=str(live.folder / "discovery.json"))


def test_it_opens_an_account_binds_a_project_and_lists_them(client: DynamicClient, organization: Organization) -> None:
    accounts = client.resources.get(api_version=BILLING, kind="BillingAccount")
    bindings = client.resources.get(api_version=BILLING, kind="BillingAccountBinding")
    projects = client.resources.get(api_version="resources.milo.io/v1alpha1", kind="Project")
    project = {"metadata": {"name": "web"}, "spec": {"organizationRef": {"name": "acme-corp"}}}
    projects.create(body={"apiVersion": projects.group_version, "kind": "Project", **project})
    account = accounts.create(body=ACCOUNT, namespace="acme-corp")
    assert account.status.phase == "Ready"
    references = {"projectRef": {"name": "web"}, "billingAccountRef": {"name": "us"}}
    binding = {"apiVersion": BILLING, "kind": "BillingAccountBinding", "metadata": {"name": "web-to-us"}}
    bindings.create(body={**binding, "spec": references}, namespace="acme-corp")
    assert projects.get(name="web").status.billingResponsibility.account == "us"
    listed = accounts.get(namespace="acme-corp", label_selector="region=us")
    assert [(item.metadata.name, item.status.linkedProjectsCount) for item in listed.items] == [("us", 1)]


def test_it_patches_replaces_and_applies(client: DynamicClient, organization: Organization) -> None:
    accounts = client.resources.get(api_version=BILLING, kind="BillingAccount")
    accounts.create(body=ACCOUNT, namespace="acme-corp")
    merge = {"spec": {"paymentTerms": {"netDays": 45}}}
    patched = accounts.patch(body=merge, name="us", namespace="acme-corp", content_type="application/merge-patch+json")
    assert (patched.spec.paymentTerms.netDays, patched.metadata.generation) == (45, 2)
    whole = patched.to_dict()
    whole["spec"]["displayName"] = "US"
    accounts.replace(body=whole, name="us", namespace="acme-corp")
    with pytest.raises(ConflictError):
        accounts.replace(body=whole, name="us", namespace="acme-corp")
    applied = {**ACCOUNT, "spec": {"displayName": "US"}}
    accounts.server_side_apply(body=applied, name="us", namespace="acme-corp", field_manager="finance")
    account = BillingAccount.objects.get(name="us")
    assert (account.net_days, account.display_name) == (45, "US")
    owners = {(entry["manager"], entry["operation"]) for entry in account.managed_fields}
    assert ("finance", "Apply") in owners


def test_it_watches_what_changes(client: DynamicClient, organization: Organization) -> None:
    accounts = client.resources.get(api_version=BILLING, kind="BillingAccount")
    make.a_ready_account(organization, "us")
    seen = []
    for event in accounts.watch(namespace="acme-corp", timeout=20):
        seen.append((event["type"], event["object"].metadata.name))
        if seen[-1] == ("ADDED", "us"):
            open_account(organization.pk, "eu", AccountSpec(currency_code="EUR"), actor=make.PLATFORM)
        if len(seen) == 2:
            break
    assert seen == [("ADDED", "us"), ("ADDED", "eu")]


def test_it_raises_what_the_server_refuses(client: DynamicClient, organization: Organization) -> None:
    accounts = client.resources.get(api_version=BILLING, kind="BillingAccount")
    wrong = {**ACCOUNT, "spec": {"currencyCode": "XXX"}}
    with pytest.raises(UnprocessibleEntityError, match="currencyCode"):
        accounts.create(body=wrong, namespace="acme-corp")
    accounts.create(body=ACCOUNT, namespace="acme-corp")
    with pytest.raises(MethodNotAllowedError, match="never deleted"):
        accounts.delete(name="us", namespace="acme-corp")
    assert [account.name for account in BillingAccount.objects.all()] == ["us"]
