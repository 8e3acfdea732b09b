from typing import Any

import pytest

from billing.models import BillingAccount
from projects.models import Organization
from tests.api.client import ACCOUNTS, JSON_PATCH, Api, nothing_changes
from tests.api.conftest import revisions
from tests.api.examples import ACCOUNT_YAML, an_account
from tests.support import make

US = f"{ACCOUNTS}/acme-corp-us"


def test_a_put_replaces_spec_labels_and_annotations(admin: Api, example_account: BillingAccount) -> None:
    sent = an_account(displayName="US", invoiceEmailAddresses=["invoices@acme.example"])
    sent["metadata"] |= {"labels": {"tier": "gold"}, "resourceVersion": admin.get(US).version}
    changed = admin.put(US, sent).done()
    assert changed["spec"] == sent["spec"]
    assert changed["metadata"]["labels"] == {"tier": "gold"}
    assert changed["metadata"]["annotations"] == sent["metadata"]["annotations"]
    assert changed["metadata"]["generation"] == 2
    assert changed["status"]["phase"] == "Ready"
    sent["metadata"].pop("labels")
    sent["metadata"]["resourceVersion"] = changed["metadata"]["resourceVersion"]
    assert "labels" not in admin.put(US, sent).done()["metadata"]
    assert revisions("acme-corp-us")[1:] == [("MODIFIED", "BillingAccountRevised")] * 2


def test_a_put_takes_yaml_too(admin: Api, example_account: BillingAccount) -> None:
    version = admin.get(US).version
    changed = admin.put(US, ACCOUNT_YAML, "application/yaml", if_match=f'"{version}"').done()
    assert "kubernetes.io/description" in changed["metadata"]["annotations"]


def test_a_patch_in_yaml_is_not_among_the_patches(admin: Api, example_account: BillingAccount) -> None:
    with nothing_changes():
        admin.patch(US, "spec: {displayName: US}", "application/yaml").refused(415, "UnsupportedMediaType")


def test_a_merge_patch_changes_what_it_names_and_null_removes(admin: Api, example_account: BillingAccount) -> None:
    admin.patch(US, {"spec": {"displayName": "US", "paymentTerms": {"netDays": 60}}}).done()
    changed = admin.patch(US, {"spec": {"displayName": None}}).done()
    assert "displayName" not in changed["spec"]
    assert changed["spec"]["paymentTerms"] == {"netDays": 60, "invoiceFrequency": "Monthly", "invoiceDayOfMonth": 1}
    assert changed["metadata"]["generation"] == 3
    assert changed["status"]["conditions"][0]["observedGeneration"] == 3


@pytest.mark.parametrize(
    "patch",
    [
        {},
        {"spec": {"currencyCode": "USD"}},
        {"metadata": {"labels": None}},
        {"metadata": {"labels": {}}},
        {"status": {"phase": "Closed"}},
    ],
)
def test_a_patch_that_changes_nothing_makes_no_revision(
    admin: Api, example_account: BillingAccount, patch: Any
) -> None:
    before = admin.get(US).version
    with nothing_changes():
        assert admin.patch(US, patch).done()["metadata"]["resourceVersion"] == before


def test_a_put_of_what_was_read_makes_no_revision(admin: Api, example_account: BillingAccount) -> None:
    read = admin.get(US).done()
    with nothing_changes():
        assert admin.put(US, read).done() == read


def test_a_stale_put_is_a_conflict(admin: Api, example_account: BillingAccount) -> None:
    stale = admin.get(US).done()
    admin.patch(US, {"spec": {"displayName": "First"}}).done()
    stale["spec"]["displayName"] = "Second"
    with nothing_changes():
        status = admin.put(US, stale).refused(409, "Conflict")
    assert status["details"]["name"] == "acme-corp-us"
    assert admin.get(US).done()["spec"]["displayName"] == "First"


@pytest.mark.parametrize("version", [None, "", "0"])
def test_a_put_that_names_no_revision_is_refused(
    admin: Api, example_account: BillingAccount, version: str | None
) -> None:
    sent = an_account(displayName="US")
    if version is not None:
        sent["metadata"]["resourceVersion"] = version
    with nothing_changes():
        answer = admin.put(US, sent)
    answer.refused(422, "Invalid")
    assert list(answer.causes()) == ["metadata.resourceVersion"]


@pytest.mark.parametrize("version", ["abc", "-1", "1.5", "9" * 19, "٣", 7])
def test_a_revision_that_is_no_number_in_a_string_is_refused(
    admin: Api, example_account: BillingAccount, version: Any
) -> None:
    sent = an_account(displayName="US")
    sent["metadata"]["resourceVersion"] = version
    with nothing_changes():
        admin.put(US, sent).refused(400, "BadRequest")
        admin.patch(US, {"metadata": {"resourceVersion": version}}).refused(400, "BadRequest")


def test_a_patch_that_names_a_stale_revision_is_a_conflict(admin: Api, example_account: BillingAccount) -> None:
    stale = admin.get(US).version
    admin.patch(US, {"spec": {"displayName": "First"}}).done()
    with nothing_changes():
        patch = {"metadata": {"resourceVersion": stale}, "spec": {"displayName": "Second"}}
        admin.patch(US, patch).refused(409, "Conflict")


def test_another_object_of_the_same_name_is_a_conflict(admin: Api, example_account: BillingAccount) -> None:
    with nothing_changes():
        patch = {"metadata": {"uid": "00000000-0000-4000-8000-000000000000"}}
        admin.patch(US, patch).refused(409, "Conflict")


def test_the_currency_is_fixed_once_the_account_was_ready(admin: Api, example_account: BillingAccount) -> None:
    with nothing_changes():
        answer = admin.patch(US, {"spec": {"currencyCode": "EUR"}})
    answer.refused(422, "Invalid")
    assert answer.causes() == {"spec.currencyCode": "is fixed to USD since the account was first Ready"}


@pytest.mark.parametrize(
    ("field", "cause"),
    [
        ("paymentProfile", "spec.paymentProfile"),
        ("currencyCode", "spec.currencyCode"),
        ("paymentTerms", "spec.paymentTerms.netDays"),
    ],
)
def test_a_ready_account_stays_complete(admin: Api, example_account: BillingAccount, field: str, cause: str) -> None:
    with nothing_changes():
        answer = admin.patch(US, {"spec": {field: None}})
    answer.refused(422, "Invalid")
    assert cause in answer.causes()


def test_completing_an_incomplete_account_makes_it_ready(admin: Api, organization: Organization) -> None:
    make.an_incomplete_account(organization, "acme-corp-eu")
    eu = f"{ACCOUNTS}/acme-corp-eu"
    step = admin.patch(eu, {"spec": {"paymentTerms": an_account()["spec"]["paymentTerms"]}}).done()
    assert step["status"]["phase"] == "Incomplete"
    assert step["status"]["conditions"][0]["message"] == "spec.paymentProfile is required"
    # still free to change: it has never been Ready
    patch = {"spec": {"currencyCode": "EUR", "paymentProfile": {"creditCard": {"cardReference": "cc-9"}}}}
    done = admin.patch(eu, patch).done()
    assert done["status"]["phase"] == "Ready"
    assert done["spec"]["currencyCode"] == "EUR"


def test_a_payment_method_is_replaced_whole_by_a_json_patch(admin: Api, example_account: BillingAccount) -> None:
    path = "/spec/paymentProfile/creditCard/cardReference"
    patch = [{"op": "test", "path": path, "value": "cc-12345"}, {"op": "replace", "path": path, "value": "cc-67890"}]
    changed = admin.patch(US, patch, JSON_PATCH).done()
    assert changed["spec"]["paymentProfile"] == {"creditCard": {"cardReference": "cc-67890"}}


def test_an_account_is_never_deleted_and_told_how_to_close(admin: Api, example_account: BillingAccount) -> None:
    with nothing_changes():
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background", "dryRun": ["All"]}
        assert admin.delete(US, options).json == admin.delete(US).json
        status = admin.delete(US).refused(405, "MethodNotAllowed")
        admin.delete(ACCOUNTS).refused(405, "MethodNotAllowed")
    assert "closure" in status["message"]


def test_only_who_may_revises(
    viewer: Api, stranger: Api, auditor: Api, organization: Organization, example_account: BillingAccount
) -> None:
    user = Api.of(make.a_person(roles={organization: "billing-user"}))
    with nothing_changes():
        for person in (viewer, user, auditor):
            person.patch(US, {"spec": {"displayName": "X"}}).refused(403, "Forbidden")
        stranger.patch(US, {"spec": {"displayName": "X"}}).refused(404, "NotFound")
