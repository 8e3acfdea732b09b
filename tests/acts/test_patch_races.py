"""Many patches of one object at once, none of which says which revision it is about: each of them is written."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import httpx
import pytest

from billing.models import BillingAccount, BillingAccountBinding
from projects.models import Organization, Project
from tests.support import make
from tests.support.live import Live
from tests.support.threads import at_once

WRITERS = 50
BILLING = "/apis/billing.milo.io/v1alpha1/namespaces/acme-corp"
RESOURCES = "/apis/resources.milo.io/v1alpha1"
PATHS = {
    BillingAccount: f"{BILLING}/billingaccounts/us",
    BillingAccountBinding: f"{BILLING}/billingaccountbindings/web-to-us",
    Project: f"{RESOURCES}/projects/web",
    Organization: f"{RESOURCES}/organizations/acme-corp",
}


@pytest.fixture
def operator(live: Live) -> httpx.Client:
    organization = make.an_organization("acme-corp")
    make.a_binding(make.a_project(organization, "web"), make.a_ready_account(organization, "us"), "web-to-us")
    client = live.client(make.a_person("operator", groups=("finance-operator",)))
    client.timeout = httpx.Timeout(60)
    return client


def label(client: httpx.Client, path: str, number: int, query: str = "") -> int:
    return client.patch(f"{path}{query}", json={"metadata": {"labels": {f"key-{number}": "set"}}}).status_code


def label_by_apply(client: httpx.Client, path: str, of: dict[str, Any], number: int) -> int:
    manifest = {**of, "metadata": {"name": of["metadata"]["name"], "labels": {f"key-{number}": "set"}}}
    headers = {"Content-Type": "application/apply-patch+yaml"}
    return client.patch(f"{path}?fieldManager=writer-{number}", json=manifest, headers=headers).status_code


def codes(calls: Sequence[Callable[[], int]]) -> set[Any]:
    return set(at_once(calls))


@pytest.mark.parametrize("model", PATHS, ids=lambda model: model.__name__)
def test_every_label_of_fifty_at_once_is_there(operator: httpx.Client, model: Any) -> None:
    path = PATHS[model]
    before = model.history.count()
    assert codes([partial(label, operator, path, number) for number in range(WRITERS)]) == {200}
    found = operator.get(path).json()
    assert found["metadata"]["labels"] == {f"key-{number}": "set" for number in range(WRITERS)}
    assert model.history.count() == before + WRITERS


def test_every_apply_of_many_at_once_is_there(operator: httpx.Client) -> None:
    path = PATHS[Organization]
    of = {"apiVersion": "resources.milo.io/v1alpha1", "kind": "Organization", "metadata": {"name": "acme-corp"}}
    assert codes([partial(label_by_apply, operator, path, of, number) for number in range(30)]) == {200}
    assert set(operator.get(path).json()["metadata"]["labels"]) == {f"key-{number}" for number in range(30)}


def test_many_who_apply_what_is_not_there_yet_make_it_once(operator: httpx.Client) -> None:
    path = f"{RESOURCES}/organizations/new-corp"
    of = {"apiVersion": "resources.milo.io/v1alpha1", "kind": "Organization", "metadata": {"name": "new-corp"}}
    found = codes([partial(label_by_apply, operator, path, of, number) for number in range(20)])
    assert found == {200, 201}
    assert set(operator.get(path).json()["metadata"]["labels"]) == {f"key-{number}" for number in range(20)}


def test_a_dry_run_under_contention_writes_nothing(operator: httpx.Client) -> None:
    path = PATHS[BillingAccount]
    tried = [partial(label, operator, path, number, "?dryRun=All") for number in range(25)]
    meant = [partial(label, operator, path, number) for number in range(25, WRITERS)]
    assert codes(tried + meant) == {200}
    assert set(operator.get(path).json()["metadata"]["labels"]) == {f"key-{number}" for number in range(25, WRITERS)}
    assert BillingAccount.history.filter(name="us").count() == 27


def test_the_answer_of_every_patch_is_of_the_revision_that_it_made(operator: httpx.Client) -> None:
    path, answers = PATHS[BillingAccount], []

    def keep(number: int) -> int:
        answer = operator.patch(path, json={"metadata": {"labels": {f"key-{number}": "set"}}})
        answers.append((number, answer.json()["metadata"]))
        return answer.status_code

    assert codes([partial(keep, number) for number in range(30)]) == {200}
    assert len({metadata["resourceVersion"] for _number, metadata in answers}) == 30
    assert all(metadata["labels"][f"key-{number}"] == "set" for number, metadata in answers)
