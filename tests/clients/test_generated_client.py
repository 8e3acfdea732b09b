"""A client that openapi-python-client makes of our document: https://github.com/openapi-generators/openapi-python-client"""

import importlib
import os
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from milo.kube.openapi.documents import documents
from projects.models import Organization
from tests.support import make
from tests.support.live import Live

PACKAGE = "milo_generated_client"
BIN = Path(sys.executable).parent
TERMS = {"netDays": 30, "invoiceFrequency": "Monthly", "invoiceDayOfMonth": 1}
ACCOUNT = {
    "apiVersion": "billing.milo.io/v1alpha1",
    "kind": "BillingAccount",
    "metadata": {"name": "us", "labels": {"region": "us"}},
    "spec": {"currencyCode": "USD", "paymentTerms": TERMS, "paymentProfile": make.CARD},
}
BINDING = {
    "apiVersion": "billing.milo.io/v1alpha1",
    "kind": "BillingAccountBinding",
    "metadata": {"name": "web-to-us"},
    "spec": {"projectRef": {"name": "web"}, "billingAccountRef": {"name": "us"}},
}


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the client's package, made without a warning."""
    folder = tmp_path_factory.mktemp("generated")
    document = folder / "document.json"
    document.write_bytes(documents()["all"].content)
    done = subprocess.run(
        [
            *(BIN / "openapi-python-client", "generate", "--meta=none", "--fail-on-warning"),
            *(f"--path={document}", f"--output-path={folder / PACKAGE}"),
        ],
        # it formats what it has made with ruff
        env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def module(generated: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Imports a module of the package by its name there."""
    monkeypatch.syspath_prepend(generated)
    return lambda name: importlib.import_module(f"{PACKAGE}.{name}")


@pytest.mark.once
def test_it_creates_binds_lists_and_is_told_what_is_wrong(live: Live, module: Callable[[str], Any]) -> None:
    acme: Organization = make.an_organization("acme-corp")
    make.a_project(acme, "web")
    admin = make.a_person("acme-admin", roles={acme: "billing-admin"})
    models, accounts = module("models"), "api.billing_account"
    trust = ssl.create_default_context(cafile=str(live.authority))
    client = module("client").AuthenticatedClient(live.url, token=live.token(admin), verify_ssl=trust)

    create = module(f"{accounts}.create_namespaced_billing_account").sync
    account = create("acme-corp", client=client, body=models.BillingAccount.from_dict(ACCOUNT))
    assert (account.metadata.name, account.status.phase) == ("us", "Ready")

    bind = module("api.billing_account_binding.create_namespaced_billing_account_binding").sync
    binding = bind("acme-corp", client=client, body=models.BillingAccountBinding.from_dict(BINDING))
    assert binding.status.phase == "Active"
    payer = module("api.project.read_project").sync("web", client=client).status.billing_responsibility
    assert payer.account == "us"

    listed = module(f"{accounts}.list_namespaced_billing_account").sync(
        "acme-corp", client=client, label_selector="region=us"
    )
    assert [(item.metadata.name, item.status.linked_projects_count) for item in listed.items] == [("us", 1)]

    wrong = {**ACCOUNT, "metadata": {"name": "eu"}, "spec": {"currencyCode": "XXX"}}
    refused = create("acme-corp", client=client, body=models.BillingAccount.from_dict(wrong))
    assert isinstance(refused, models.Status)
    assert [cause.field for cause in refused.details.causes] == ["spec.currencyCode"]
