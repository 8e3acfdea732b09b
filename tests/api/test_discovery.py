import pytest

import milo
from tests.api.client import Api

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
GROUPS = [
    "resources.milo.io", "billing.milo.io", "usage.milo.io", "authentication.k8s.io", "authorization.k8s.io",
    "apiextensions.k8s.io",
]  # fmt: skip


@pytest.mark.parametrize("path", ["/version", "/version/"])
def test_anybody_may_ask_for_the_version(db: None, path: str) -> None:
    version = Api().get(path).done()
    assert (version["major"], version["minor"]) == ("1", "34")
    assert version["gitVersion"] == f"v1.34.0+milo.{milo.__version__}"
    assert version.keys() == {
        "major", "minor", "gitVersion", "gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler", "platform"
    }  # fmt: skip


@pytest.mark.parametrize("path", ["/apis", "/apis/"])
def test_the_groups_are_listed(admin: Api, path: str) -> None:
    listed = admin.get(path).done()
    assert listed["kind"] == "APIGroupList"
    assert {group["name"] for group in listed["groups"]} == set(GROUPS)
    for group in listed["groups"]:
        assert group["versions"] == [group["preferredVersion"]]
        for address in (f"/apis/{group['name']}", f"/apis/{group['preferredVersion']['groupVersion']}"):
            assert admin.get(f"{address}/").done() == admin.get(address).done()
        assert admin.get(f"/apis/{group['name']}").done() == group


@pytest.mark.parametrize("path", ["/api", "/api/"])
def test_the_core_group_has_one_version(admin: Api, path: str) -> None:
    assert admin.get(path).done()["versions"] == ["v1"]


def test_a_group_lists_its_resources_and_what_can_be_done_with_them(admin: Api) -> None:
    found = {
        entry["name"]: entry
        for group in ("billing.milo.io", "resources.milo.io")
        for entry in admin.get(f"/apis/{group}/v1alpha1").done()["resources"]
    }
    account = found["billingaccounts"]
    assert account["kind"] == "BillingAccount"
    assert account["namespaced"] is True
    assert account["singularName"] == "billingaccount"
    assert account["shortNames"] == ["ba"]
    assert account["categories"] == ["milo", "all"]
    assert set(account["verbs"]) == {"get", "list", "watch", "create", "update", "patch"}
    assert found["billingaccountbindings"]["shortNames"] == ["bab"]
    assert found["organizations"]["shortNames"] == ["org"]
    assert found["projects"]["namespaced"] is False
    assert found["projects/archive"]["verbs"] == ["create"]
    assert found["projects/billinghistory"]["verbs"] == ["get"]
    assert all(f"{name}/status" in found for name in found if "/" not in name)


def test_the_core_group_lists_namespaces_and_events(admin: Api) -> None:
    listed = admin.get("/api/v1").done()
    assert [entry["name"] for entry in listed["resources"]] == ["namespaces", "events"]
    assert [entry["verbs"] for entry in listed["resources"]] == [
        ["get", "list", "watch", "create", "update", "patch"],
        ["get", "list", "watch"],
    ]


def test_aggregated_discovery_says_the_same_in_two_requests(admin: Api) -> None:
    accept = f"{AGGREGATED},application/json"
    for path, groups in (("/api", [None]), ("/apis", GROUPS)):
        answer = admin.get(path, accept=accept)
        assert answer.headers["Content-Type"] == AGGREGATED
        items = answer.done()["items"]
        assert {item["metadata"].get("name") for item in items} == set(groups)
        for item in items:
            [version] = item["versions"]
            root = f"/apis/{item['metadata']['name']}" if "name" in item["metadata"] else "/api"
            single = admin.get(f"{root}/{version['version']}").done()["resources"]
            names = {resource["resource"] for resource in version["resources"]} | {
                f"{resource['resource']}/{sub['subresource']}"
                for resource in version["resources"]
                for sub in resource.get("subresources", [])
            }
            assert names == {entry["name"] for entry in single}


@pytest.mark.parametrize(
    "path", ["/apis/nothing.milo.io", "/apis/billing.milo.io/v2", "/apis/nothing/v1", "/apis/%00", "/apis/%ff/v1"]
)
def test_a_group_that_is_not_there_is_not_found(admin: Api, path: str) -> None:
    admin.get(path).refused(404, "NotFound")


@pytest.mark.parametrize(
    "path", ["/api", "/apis", "/api/v1", "/apis/billing.milo.io", "/apis/billing.milo.io/v1alpha1"]
)
def test_strangers_learn_nothing_but_the_version(db: None, path: str) -> None:
    answer = Api().get(path)
    answer.refused(401, "Unauthorized")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
