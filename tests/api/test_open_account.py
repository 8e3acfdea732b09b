from typing import Any

import pytest
from django.test import override_settings

from billing.models import BillingAccount
from billing.verifiers import VerifierUnavailable
from milo.errors import Cause
from tests.api.client import ACCOUNTS, BILLING, Api, nothing_changes
from tests.api.conftest import revisions
from tests.api.examples import ACCOUNT_YAML, an_account


def test_the_account_of_the_specification_opens_as_written_and_is_ready(admin: Api) -> None:
    made = admin.post(ACCOUNTS, ACCOUNT_YAML, "application/yaml").done(201)
    assert made["apiVersion"] == "billing.milo.io/v1alpha1"
    assert made["kind"] == "BillingAccount"
    assert made["metadata"]["name"] == "acme-corp-us"
    assert made["metadata"]["namespace"] == "acme-corp"
    assert made["metadata"]["annotations"] == {
        "kubernetes.io/description": "Primary billing account for ACME Corp US operations"
    }
    assert made["spec"] == {
        "currencyCode": "USD",
        "paymentTerms": {"netDays": 30, "invoiceFrequency": "Monthly", "invoiceDayOfMonth": 1},
        "paymentProfile": {"creditCard": {"cardReference": "cc-12345"}},
    }
    assert made["status"]["phase"] == "Ready"
    assert made["status"]["linkedProjectsCount"] == 0
    [ready] = made["status"]["conditions"]
    assert {key: ready[key] for key in ("type", "status", "reason", "message", "observedGeneration")} == {
        "type": "Ready",
        "status": "True",
        "reason": "BillingAccountActive",
        "message": "Billing account is active and ready for project linking",
        "observedGeneration": 1,
    }


def test_json_and_yaml_mean_the_same(admin: Api) -> None:
    one = admin.post(ACCOUNTS, ACCOUNT_YAML, "application/yaml").done(201)
    two = admin.post(ACCOUNTS, an_account("acme-corp-eu")).done(201)
    assert one["spec"] == two["spec"]


def test_no_content_type_means_json(admin: Api) -> None:
    admin.post(ACCOUNTS, an_account(), content_type="").done(201)


def test_history_shows_provisioning_first_in_the_openers_name(admin: Api) -> None:
    admin.post(ACCOUNTS, an_account()).done(201)
    steps = BillingAccount.history.order_by("history_id").values_list("phase", "history_user_id")
    assert list(steps) == [("Provisioning", "user:acme-admin"), ("Ready", "user:acme-admin")]
    assert revisions("acme-corp-us") == [("ADDED", "BillingAccountReady")]


@pytest.mark.parametrize(
    ("absent", "missing"),
    [
        (["paymentProfile"], ["spec.paymentProfile"]),
        (["currencyCode"], ["spec.currencyCode"]),
        (
            ["currencyCode", "paymentTerms", "paymentProfile"],
            [
                "spec.currencyCode",
                "spec.paymentTerms.netDays",
                "spec.paymentTerms.invoiceFrequency",
                "spec.paymentTerms.invoiceDayOfMonth",
                "spec.paymentProfile",
            ],
        ),
    ],
)
def test_an_account_that_lacks_something_is_incomplete_and_says_all_of_it(
    admin: Api, absent: list[str], missing: list[str]
) -> None:
    made = admin.post(ACCOUNTS, an_account(**dict[str, Any].fromkeys(absent))).done(201)
    assert made["status"]["phase"] == "Incomplete"
    [ready] = made["status"]["conditions"]
    assert (ready["status"], ready["reason"]) == ("False", "BillingAccountIncomplete")
    assert ready["message"] == "; ".join(f"{field} is required" for field in missing)


class AwayVerifier:
    def verify(self, profile: dict[str, Any]) -> list[Cause]:
        raise VerifierUnavailable("the provider does not answer")


@override_settings(MILO_PAYMENT_PROFILE_VERIFIER=f"{__name__}.AwayVerifier")
def test_an_account_whose_verifier_is_away_stays_provisioning(admin: Api) -> None:
    made = admin.post(ACCOUNTS, an_account()).done(201)
    assert made["status"]["phase"] == "Provisioning"
    [ready] = made["status"]["conditions"]
    assert (ready["status"], ready["message"]) == ("False", "the provider does not answer")


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        ({"currencyCode": "XXX"}, ["spec.currencyCode"]),
        ({"currencyCode": "usd"}, ["spec.currencyCode"]),
        ({"currencyCode": "DOLLAR"}, ["spec.currencyCode"]),
        ({"currencyCode": 840}, ["spec.currencyCode"]),
        ({"paymentTerms": {"netDays": -1}}, ["spec.paymentTerms.netDays"]),
        ({"paymentTerms": {"netDays": 366}}, ["spec.paymentTerms.netDays"]),
        ({"paymentTerms": {"netDays": "30"}}, ["spec.paymentTerms.netDays"]),
        ({"paymentTerms": {"netDays": True}}, ["spec.paymentTerms.netDays"]),
        ({"paymentTerms": {"netDays": 30.0}}, ["spec.paymentTerms.netDays"]),
        ({"paymentTerms": {"invoiceDayOfMonth": 29}}, ["spec.paymentTerms.invoiceDayOfMonth"]),
        ({"paymentTerms": {"invoiceDayOfMonth": 0}}, ["spec.paymentTerms.invoiceDayOfMonth"]),
        ({"paymentTerms": {"invoiceFrequency": "Weekly"}}, ["spec.paymentTerms.invoiceFrequency"]),
        ({"paymentTerms": "Net30"}, ["spec.paymentTerms"]),
        ({"paymentProfile": {}}, ["spec.paymentProfile"]),
        ({"paymentProfile": {"creditCard": {}}}, ["spec.paymentProfile.creditCard.cardReference"]),
        ({"paymentProfile": {"creditCard": {"cardReference": ""}}}, ["spec.paymentProfile.creditCard.cardReference"]),
        ({"paymentProfile": {"creditCard": "cc-12345"}}, ["spec.paymentProfile.creditCard"]),
        ({"invoiceEmailAddresses": "a@acme.example"}, ["spec.invoiceEmailAddresses"]),
        ({"invoiceEmailAddresses": ["x"]}, ["spec.invoiceEmailAddresses[0]"]),
        ({"invoiceEmailAddresses": [f"{n}@acme.example" for n in range(51)]}, ["spec.invoiceEmailAddresses"]),
        ({"displayName": "x" * 201}, ["spec.displayName"]),
        (
            {"currencyCode": "XXX", "paymentTerms": {"netDays": 366, "invoiceDayOfMonth": 29}},
            ["spec.paymentTerms.netDays", "spec.paymentTerms.invoiceDayOfMonth"],
        ),
    ],
)
def test_a_faulty_spec_is_refused_by_naming_the_fields(admin: Api, spec: dict[str, Any], fields: list[str]) -> None:
    with nothing_changes():
        answer = admin.post(ACCOUNTS, an_account(**spec))
    status = answer.refused(422, "Invalid")
    assert status["details"]["kind"] == "BillingAccount"
    assert set(fields) <= set(answer.causes())


def test_a_name_is_unique_within_the_organization_only(admin: Api, stranger: Api) -> None:
    admin.post(ACCOUNTS, an_account()).done(201)
    with nothing_changes():
        admin.post(ACCOUNTS, an_account(displayName="Again")).refused(409, "AlreadyExists")
    theirs = an_account()
    theirs["metadata"]["namespace"] = "other-corp"
    stranger.post(f"{BILLING}/namespaces/other-corp/billingaccounts", theirs).done(201)


def test_only_a_namespace_takes_a_new_account(operator: Api, admin: Api) -> None:
    with nothing_changes():
        operator.post(f"{BILLING}/billingaccounts", an_account()).refused(405, "MethodNotAllowed")


def test_a_viewer_may_not_and_a_stranger_finds_no_such_namespace(viewer: Api, stranger: Api) -> None:
    with nothing_changes():
        viewer.post(ACCOUNTS, an_account()).refused(403, "Forbidden")
        stranger.post(ACCOUNTS, an_account()).refused(404, "NotFound")
