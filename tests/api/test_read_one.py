import pytest

from billing.models import BillingAccount
from projects.models import Organization
from tests.api.client import ACCOUNTS, BINDINGS, ORGANIZATIONS, PROJECTS, Api, nothing_changes
from tests.support import make

US = f"{ACCOUNTS}/us"
TABLE = (
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
)


@pytest.fixture
def paying_account(organization: Organization) -> BillingAccount:
    account = make.a_ready_account(organization, "us", display_name="US")
    make.a_binding(make.a_project(organization, "webapp"), account, "payer")
    return account


def test_an_etag_begins_with_the_revision_and_spares_reading_again(admin: Api, paying_account: BillingAccount) -> None:
    first = admin.get(US)
    tag = first.headers["ETag"]
    assert tag.startswith(f'"{first.version}-')
    for sent in (tag, f"W/{tag}", f'"1", {tag}', "*"):
        again = admin.get(US, if_none_match=sent)
        assert (again.code, again.raw, again.headers["ETag"]) == (304, b"", tag)
        assert "Content-Type" not in again.headers
    admin.patch(US, {"spec": {"displayName": "Changed"}}).done()
    changed = admin.get(US, if_none_match=tag)
    assert changed.done()["spec"]["displayName"] == "Changed"
    assert changed.headers["ETag"] != tag


def test_if_match_lets_a_put_through_without_a_revision_in_the_body(admin: Api, paying_account: BillingAccount) -> None:
    read = admin.get(US)
    sent = read.done()
    del sent["metadata"]["resourceVersion"]
    sent["spec"]["displayName"] = "By tag"
    assert admin.put(US, sent, if_match=read.headers["ETag"]).done()["spec"]["displayName"] == "By tag"
    sent["spec"]["displayName"] = "Whichever"
    assert admin.put(US, sent, if_match="*").done()["spec"]["displayName"] == "Whichever"


@pytest.mark.parametrize("tag", ['"1"', '"nonsense"', "W/", ', ,"0"', "'", '"' + "9" * 500 + '"'])
def test_a_stale_if_match_fails_the_precondition(admin: Api, paying_account: BillingAccount, tag: str) -> None:
    read = admin.get(US).done()
    read["spec"]["displayName"] = "Late"
    with nothing_changes():
        admin.put(US, read, if_match=tag).refused(412, "PreconditionFailed")
        admin.patch(US, {"spec": {"displayName": "Late"}}, if_match=tag).refused(412, "PreconditionFailed")


def test_status_is_a_subresource_to_read_only(admin: Api, paying_account: BillingAccount) -> None:
    assert admin.get(f"{US}/status").done() == admin.get(US).done()
    with nothing_changes():
        for method in ("PUT", "PATCH", "POST", "DELETE"):
            admin.call(method, f"{US}/status", {}).refused(405, "MethodNotAllowed")


@pytest.mark.parametrize("accept", ["application/json", "*/*", "", "application/*", "text/html, */*;q=0.1"])
def test_json_is_what_most_accept(admin: Api, paying_account: BillingAccount, accept: str) -> None:
    answer = admin.get(US, accept=accept)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.done()["kind"] == "BillingAccount"


def test_yaml_says_the_same(admin: Api, paying_account: BillingAccount) -> None:
    answer = admin.get(US, accept="application/yaml")
    assert answer.headers["Content-Type"] == "application/yaml"
    assert b"currencyCode: USD\n" in answer.raw
    version = admin.get(US).version
    # what is read in YAML can be sent back as it is
    with nothing_changes():
        assert admin.put(US, answer.raw, "application/yaml").done()["metadata"]["resourceVersion"] == version


def test_a_table_of_one_is_what_kubectl_get_shows(admin: Api, paying_account: BillingAccount) -> None:
    answer = admin.get(US, accept=TABLE)
    assert answer.headers["Content-Type"] == "application/json;as=Table;v=v1;g=meta.k8s.io"
    table = answer.done()
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    [row] = table["rows"]
    assert row["object"]["kind"] == "PartialObjectMetadata"
    assert "spec" not in row["object"]
    shown = dict(zip([column["name"] for column in table["columnDefinitions"]], row["cells"], strict=True))
    assert {key: shown[key] for key in ("Name", "Display Name", "Phase", "Currency", "Projects")} == {
        "Name": "us",
        "Display Name": "US",
        "Phase": "Ready",
        "Currency": "USD",
        "Projects": 1,
    }


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "application/json;as=Chart;v=v1;g=meta.k8s.io"])
def test_what_cannot_be_given_is_not_acceptable(admin: Api, paying_account: BillingAccount, accept: str) -> None:
    admin.get(US, accept=accept).refused(406, "NotAcceptable")


def test_what_is_not_there_is_not_found(admin: Api, paying_account: BillingAccount) -> None:
    status = admin.get(f"{ACCOUNTS}/eu").refused(404, "NotFound")
    assert status["message"] == 'billingaccounts.billing.milo.io "eu" not found'
    assert status["details"] == {"name": "eu", "group": "billing.milo.io", "kind": "BillingAccount"}
    admin.get("/apis/billing.milo.io/v1alpha1/namespaces/acme-corp/wallets/us").refused(404, "NotFound")


@pytest.mark.parametrize("path", [US, f"{BINDINGS}/payer", f"{PROJECTS}/webapp", f"{ORGANIZATIONS}/acme-corp"])
def test_a_read_may_be_cached_by_nobody_but_the_client(admin: Api, paying_account: BillingAccount, path: str) -> None:
    answer = admin.get(path)
    assert answer.headers["Cache-Control"] == "no-store"
    assert set(answer.headers["Vary"].split(", ")) >= {"Accept", "Authorization"}
