"""kr8s, a small Python client: https://docs.kr8s.org/"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import kr8s
import pytest
from kr8s.objects import APIObject, new_class

from billing.models import BillingAccount
from projects.models import Organization
from tests.support import make
from tests.support.live import Live

BillingAccounts: type[APIObject] = new_class(
    "BillingAccount", version="billing.milo.io/v1alpha1", namespaced=True, plural="billingaccounts", asyncio=False
)
ACCOUNT = {
    "metadata": {"name": "us", "namespace": "acme-corp"},
    "spec": {
        "currencyCode": "USD",
        "paymentTerms": {"netDays": 30, "invoiceFrequency": "Monthly", "invoiceDayOfMonth": 1},
        "paymentProfile": make.CARD,
    },
}


@pytest.fixture
def api(live: Live, organization: Organization) -> kr8s.Api:
    admin = make.a_person("acme-admin", roles={organization: "billing-admin"})
    config: Path = live.kubeconfig(admin, "acme-corp")
    return kr8s.api(kubeconfig=str(config))


def names(found: Iterable[Any]) -> list[str]:
    return [account.name for account in found]


def test_it_creates_lists_and_patches(api: kr8s.Api) -> None:
    account = BillingAccounts(ACCOUNT, api=api)
    account.create()
    assert account.status.phase == "Ready"
    account.patch({"spec": {"paymentTerms": {"netDays": 45}}})
    assert account.metadata.generation == 2
    account.label(region="us")
    assert names(api.get("billingaccounts", label_selector={"region": "us"})) == ["us"]
    assert names(BillingAccounts.list(api=api)) == ["us"]
    stored = BillingAccount.objects.get()
    assert (stored.net_days, stored.labels) == (45, {"region": "us"})
    account.wait("condition=Ready")


def test_it_watches_what_changes(api: kr8s.Api, organization: Organization) -> None:
    make.a_ready_account(organization, "us")
    seen = []
    for event, account in api.watch("billingaccounts", namespace="acme-corp"):
        seen.append((event, account.name))
        if len(seen) == 2:
            break
        make.a_ready_account(organization, "eu")
    assert seen == [("ADDED", "us"), ("ADDED", "eu")]


def test_it_raises_what_the_server_refuses(api: kr8s.Api) -> None:
    wrong = BillingAccounts({**ACCOUNT, "spec": {"currencyCode": "XXX"}}, api=api)
    with pytest.raises(kr8s.ServerError, match="currencyCode"):
        wrong.create()
    assert not BillingAccount.objects.exists()
