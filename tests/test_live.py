"""The live server that other tests stand on."""

import subprocess

import httpx
import pytest

from tests.support import make
from tests.support.live import Live


def test_the_server_and_the_test_see_one_database(live: Live) -> None:
    organization = make.an_organization("acme-corp")
    admin = make.a_person(roles={organization: "billing-admin"})
    account = make.a_ready_account(organization, "us")
    found = live.client(admin).get(f"/apis/billing.milo.io/v1alpha1/namespaces/acme-corp/billingaccounts/{account}")
    assert found.status_code == 200
    assert found.json()["metadata"]["uid"] == str(account.uid)


def test_the_server_is_trusted_only_through_its_own_authority(live: Live) -> None:
    with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        httpx.get(f"{live.url}/version")
    assert live.client().get("/version").status_code == 200


def test_kubectl_reaches_the_server_as_the_user_of_its_kubeconfig(live: Live) -> None:
    organization = make.an_organization("acme-corp")
    make.a_ready_account(organization, "us")
    viewer = live.kubeconfig(make.a_person("viewer", roles={organization: "billing-viewer"}), "acme-corp")
    stranger = live.kubeconfig(make.a_person("stranger"), "acme-corp")
    listing = "get", "billingaccounts", "-o=name"
    assert output(live.kubectl(viewer, *listing)) == "billingaccount.billing.milo.io/us\n"
    assert 'namespaces "acme-corp" not found' in live.kubectl(stranger, *listing).stderr


def output(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout
