"""Payment terms, every payment method and regional preferences over HTTP."""

from typing import Any

import pytest

from billing.models import BillingAccount
from billing.payment_profile.profiles import methods
from tests.api.client import ACCOUNTS, Api, nothing_changes
from tests.api.examples import GERMAN_PREFERENCES, an_account
from tests.compliance.test_payment_profile import a_country_of, a_currency_of, profile, sample

pytestmark = pytest.mark.once

US = f"{ACCOUNTS}/acme-corp-us"
SCHEDULE = f"{US}/paymentschedule"
TERMS = {
    "netDays": 30,
    "invoiceFrequency": "Quarterly",
    "invoiceDayOfMonth": 15,
    "anchorMonth": 1,
    "businessDayConvention": "FOLLOWING",
    "earlyPaymentDiscount": {"percent": "2", "days": 10},
    "latePaymentPenalty": {"annualRatePercent": "12", "graceDays": 5},
    "extendedTermsAgreed": True,
}


def full(**spec: Any) -> dict[str, Any]:
    return an_account(**{"currencyCode": "EUR", "paymentTerms": TERMS, "preferences": GERMAN_PREFERENCES} | spec)


def fields(answer: dict[str, Any]) -> set[str]:
    return {cause["field"] for cause in answer["details"]["causes"]}


def test_all_that_is_given_comes_back_and_the_same_again_changes_nothing(admin: Api) -> None:
    made = admin.post(ACCOUNTS, full()).done(201)
    assert made["spec"] == full()["spec"]
    assert made["status"]["phase"] == "Ready"
    assert [it["form"] for it in made["status"]["taxRegistrations"]] == ["FormatValid", "FormatValid"]
    with nothing_changes():
        assert admin.put(US, made).done() == made


def test_a_tax_number_is_kept_as_given_and_the_status_tells_its_kind(admin: Api) -> None:
    written = [
        {"country": "FR", "number": "732 829 320"},
        {"country": "DE", "number": "DE\u200b136\u00ad695\u202c976"},
        {"country": "DE", "number": "181/815/08155", "scheme": "Other"},
        {"country": "SA", "number": "3\u0661\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669\u0660\u06613"},
        {"country": "XK", "number": "810000000"},
        {"country": "EU", "number": "EU372041333"},
    ]
    made = admin.post(ACCOUNTS, an_account(preferences={"country": "XK", "taxRegistrations": written})).done(201)
    assert made["spec"]["preferences"]["taxRegistrations"] == [
        {"country": "FR", "number": "732829320"},
        {"country": "DE", "number": "DE136695976"},
        {"country": "DE", "number": "18181508155", "scheme": "Other"},
        {"country": "SA", "number": "310123456789013"},
        {"country": "XK", "number": "810000000"},
        {"country": "EU", "number": "EU372041333"},
    ]
    assert [(it["scheme"], it["name"], it["form"]) for it in made["status"]["taxRegistrations"]] == [
        ("NationalBusinessID", "SIREN", "FormatValid"),
        ("VAT", "USt-IdNr", "FormatValid"),
        ("Other", "Steuernummer", "FormatValid"),
        ("VAT", "VAT", "FormatValid"),
        ("NationalBusinessID", "NUI", "FormatValid"),
        ("Other", "OSS number (non-Union scheme)", "FormatValid"),
    ]
    with nothing_changes():
        again = made | {"spec": made["spec"] | {"preferences": {"country": "XK", "taxRegistrations": written}}}
        assert admin.put(US, again).done() == made


def test_a_merge_patch_changes_what_it_names_inside_nested_objects(admin: Api) -> None:
    admin.post(ACCOUNTS, full()).done(201)
    changed = admin.patch(
        US,
        {
            "spec": {
                "paymentTerms": {"earlyPaymentDiscount": {"percent": "3.5"}, "extendedTermsAgreed": None},
                "paymentProfile": {"creditCard": None, "paypal": {"billingAgreementReference": "B-1"}},
                "preferences": {"invoiceFormat": None, "eInvoicing": {"identifiers": {"leitwegId": None}}},
            }
        },
    ).done()["spec"]
    assert changed["paymentTerms"] == {
        **{name: value for name, value in TERMS.items() if name != "extendedTermsAgreed"},
        "earlyPaymentDiscount": {"percent": "3.5", "days": 10},
    }
    assert changed["paymentProfile"] == {"paypal": {"billingAgreementReference": "B-1"}}
    assert "invoiceFormat" not in changed["preferences"]
    assert changed["preferences"]["eInvoicing"]["identifiers"] == {"peppolParticipantId": "9930:de136695976"}


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"preferences": {"land": "DE"}}, "spec.preferences.land"),
        (
            {"preferences": {"taxRegistrations": [{"country": "DE", "number": "1", "name": "x"}]}},
            "spec.preferences.taxRegistrations[0].name",
        ),
        ({"preferences": {"eInvoicing": {"identifiers": {"fax": "1"}}}}, "spec.preferences.eInvoicing.identifiers.fax"),
        ({"paymentTerms": {"latePaymentPenalty": {"rate": "9"}}}, "spec.paymentTerms.latePaymentPenalty.rate"),
        ({"paymentProfile": {"goldBar": {}}}, "spec.paymentProfile.goldBar"),
        (
            {"paymentProfile": {"creditCard": {"cardReference": "cc-1", "pan": "1"}}},
            "spec.paymentProfile.creditCard.pan",
        ),
        ({"paymentProfile": {"sepaDebitCore": {"iban": "1"}}}, "spec.paymentProfile.sepaDebitCore.iban"),
    ],
)
def test_an_unknown_field_is_refused_by_its_path(admin: Api, spec: dict[str, Any], field: str) -> None:
    with nothing_changes():
        answer = admin.post(ACCOUNTS, an_account(**spec)).refused(400, "BadRequest")
    assert fields(answer) == {field}


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"paymentTerms": {"earlyPaymentDiscount": {"percent": 2, "days": 10}}}, "earlyPaymentDiscount.percent"),
        ({"paymentTerms": {"earlyPaymentDiscount": {"percent": "2%", "days": 10}}}, "earlyPaymentDiscount.percent"),
        ({"paymentTerms": {"earlyPaymentDiscount": {"percent": "2"}}}, "earlyPaymentDiscount.days"),
        (
            {"paymentTerms": {"netDays": 9, "earlyPaymentDiscount": {"percent": "2", "days": 9}}},
            "earlyPaymentDiscount.days",
        ),
        (
            {"paymentTerms": {"latePaymentPenalty": {"annualRatePercent": "101"}}},
            "latePaymentPenalty.annualRatePercent",
        ),
        ({"paymentTerms": {"latePaymentPenalty": "none"}}, "latePaymentPenalty"),
        ({"paymentTerms": {"anchorMonth": 13}}, "anchorMonth"),
        ({"paymentTerms": {"businessDayConvention": "Following"}}, "businessDayConvention"),
        ({"paymentTerms": {"extendedTermsAgreed": "yes"}}, "extendedTermsAgreed"),
        ({"preferences": []}, ""),
        ({"preferences": {"country": "Germany"}}, "country"),
        ({"preferences": {"customerKind": "company"}}, "customerKind"),
        ({"preferences": {"taxRegistrations": ["DE136695976"]}}, "taxRegistrations[0]"),
        ({"preferences": {"taxRegistrations": [{"country": "DE"}]}}, "taxRegistrations[0].number"),
        (
            {"preferences": {"taxRegistrations": [{"country": "DE", "number": "4111 1111 1111 1111"}]}},
            "taxRegistrations[0].number",
        ),
        (
            {"preferences": {"taxRegistrations": [{"country": "DE", "number": "DE136695976", "scheme": "USt"}]}},
            "taxRegistrations[0].scheme",
        ),
        (
            {
                "preferences": {
                    "taxRegistrations": [
                        {"country": "JP", "number": "T7000012050002"},
                        {"country": "JP", "number": "7000012050002"},
                    ]
                }
            },
            "taxRegistrations[1].number",
        ),
        ({"preferences": {"country": "EU"}}, "country"),
        ({"preferences": {"invoiceLanguage": "german"}}, "invoiceLanguage"),
        ({"preferences": {"eInvoicing": {"standard": "FAX"}}}, "eInvoicing.standard"),
        ({"preferences": {"eInvoicing": {"identifiers": {"leitwegId": 1}}}}, "eInvoicing.identifiers.leitwegId"),
        ({"preferences": {"dataResidency": "Moon"}}, "dataResidency"),
    ],
)
def test_a_fault_is_refused_by_the_path_of_its_field(admin: Api, spec: dict[str, Any], field: str) -> None:
    (section,) = spec
    with nothing_changes():
        answer = admin.post(ACCOUNTS, an_account(**spec)).refused(422, "Invalid")
    assert fields(answer) == {f"spec.{section}.{field}".rstrip(".")}
    assert "1111" not in answer["message"]


def test_faults_of_form_and_of_law_come_at_once(admin: Api) -> None:
    preferences = {"country": "FR", "invoiceLanguage": "x", "taxRegistrations": [{"country": "FR", "number": "1"}]}
    spec = {"paymentTerms": {"netDays": 61}, "paymentProfile": {"upiAutopay": {}}, "preferences": preferences}
    with nothing_changes():
        answer = admin.post(ACCOUNTS, full(**spec)).refused(422, "Invalid")
    assert fields(answer) >= {
        "spec.paymentTerms.netDays",
        "spec.paymentProfile.upiAutopay",
        "spec.preferences.invoiceLanguage",
        "spec.preferences.taxRegistrations[0].number",
    }
    (law,) = [cause for cause in answer["details"]["causes"] if cause["field"] == "spec.paymentTerms.netDays"]
    assert "rule terms.cap.FR" in law["message"]
    assert "confidence" in law["message"]


def test_every_method_is_taken_with_its_references_and_refused_without(admin: Api) -> None:
    for member, method in methods().items():
        given = profile(method, **{name: sample(name) for name in method.optional})
        name = member.lower()
        spec = {"currencyCode": a_currency_of(method), "paymentProfile": given}
        spec["preferences"] = {"country": a_country_of(method), "customerKind": "government"}
        made = admin.post(ACCOUNTS, an_account(name, **spec)).done(201)
        assert made["spec"]["paymentProfile"] == given
        assert made["status"]["phase"] == "Ready", (member, made["status"])
        required = method.required[0][0]
        less = {member: {key: value for key, value in given[member].items() if key not in method.required[0]}}
        answer = admin.put(f"{ACCOUNTS}/{name}", made | {"spec": made["spec"] | {"paymentProfile": less}})
        assert f"spec.paymentProfile.{member}.{required}" in fields(answer.refused(422, "Invalid")), member


def test_a_virtual_account_that_passes_for_a_card_number_can_be_suspended_and_closed_too(
    admin: Api, operator: Api
) -> None:
    # what is no card number by its nature is none in the copies of suspensions and requests either
    virtual = {"vaBankTransferId": {"virtualAccountNumberRef": "4111111111111111"}}
    admin.post(ACCOUNTS, an_account(currencyCode="IDR", paymentProfile=virtual)).done(201)
    request = {
        "apiVersion": "billing.milo.io/v1alpha1",
        "kind": "ApprovalRequest",
        "metadata": {"name": "close"},
        "spec": {"billingAccountRef": {"name": "acme-corp-us"}, "action": "Close", "justification": "agreed"},
    }
    admin.post(ACCOUNTS.replace("billingaccounts", "approvalrequests"), request).done(201)
    suspend = {"spec": {"reasonCode": "ManualReview", "message": "under review"}}
    assert operator.post(f"{US}/suspend", suspend).done()["status"]["phase"] == "Suspended"


def test_the_schedule_is_what_an_invoicing_system_gets(admin: Api, viewer: Api) -> None:
    monthly = {**TERMS, "invoiceFrequency": "Monthly", "invoiceDayOfMonth": 1}
    admin.post(ACCOUNTS, full(currencyCode="USD", paymentTerms=monthly, preferences=None)).done(201)
    query = "after=2026-02-15&count=2&amount=10000.00&paidOn=2026-04-30"
    answer = viewer.get(f"{SCHEDULE}?{query}").done()
    assert answer == {
        "currencyCode": "USD",
        "items": [
            {
                "invoiceDate": "2026-03-01",
                "periodStart": "2026-02-01",
                "periodEnd": "2026-03-01",
                "dueDate": "2026-03-31",
                "payableBy": "2026-03-31",
                "lateInterest": {"days": 30, "amount": "98.63"},
            },
            {
                "invoiceDate": "2026-04-01",
                "periodStart": "2026-03-01",
                "periodEnd": "2026-04-01",
                "dueDate": "2026-05-01",
                "payableBy": "2026-05-01",
                "lateInterest": {"days": 0, "amount": "0.00"},
            },
        ],
    }
    early = viewer.get(f"{SCHEDULE}?after=2026-02-15&count=1&amount=10000.00").done()["items"][0]
    assert early["discount"] == {"deadline": "2026-03-11", "amount": "200.00", "payable": "9800.00"}
    assert "lateInterest" not in early
    (plain,) = viewer.get(f"{SCHEDULE}?after=2026-03-01&count=1").done()["items"]
    assert set(plain) == {"invoiceDate", "periodStart", "periodEnd", "dueDate", "payableBy"}
    assert plain["invoiceDate"] == "2026-04-01"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("count=1", "after"),
        ("after=2026-01-01", "count"),
        ("after=tomorrow&count=1", "after"),
        ("after=2026-01-01&count=0", "count"),
        ("after=2026-01-01&count=101", "count"),
        ("after=2026-01-01&count=x", "count"),
        ("after=2026-01-01&count=1&amount=1e5", "amount"),
        ("after=2026-01-01&count=1&amount=-1", "amount"),
        ("after=2026-01-01&count=1&amount=1.005", "amount"),
        ("after=2026-01-01&count=1&paidOn=2026-02-01", "amount"),
        ("after=2026-01-01&count=1&amount=1&paidOn=soon", "paidOn"),
    ],
)
def test_a_schedule_that_cannot_be_made_is_refused_by_its_parameter(admin: Api, query: str, field: str) -> None:
    admin.post(ACCOUNTS, an_account()).done(201)
    assert fields(admin.get(f"{SCHEDULE}?{query}").refused(422, "Invalid")) == {f"query.{field}"}


def test_the_schedule_of_an_account_without_terms_says_what_is_missing(admin: Api) -> None:
    admin.post(ACCOUNTS, an_account(paymentTerms={"netDays": 30}, currencyCode=None)).done(201)
    answer = admin.get(f"{SCHEDULE}?after=2026-01-01&count=1&amount=1").refused(422, "Invalid")
    assert fields(answer) == {
        "spec.paymentTerms.invoiceFrequency",
        "spec.paymentTerms.invoiceDayOfMonth",
        "spec.currencyCode",
    }


def test_a_schedule_ends_where_the_calendar_does(admin: Api) -> None:
    admin.post(ACCOUNTS, an_account()).done(201)
    assert admin.get(f"{SCHEDULE}?after=9999-12-31&count=100").done()["items"] == []
    assert len(admin.get(f"{SCHEDULE}?after=0001-01-01&count=100").done()["items"]) == 100


def test_the_anchor_of_invoices_is_shown_once_the_account_is_activated(admin: Api) -> None:
    quarterly = {"netDays": 30, "invoiceFrequency": "Quarterly", "invoiceDayOfMonth": 15}
    made = admin.post(ACCOUNTS, an_account(paymentTerms=quarterly)).done(201)
    activated = BillingAccount.objects.get().first_ready_at
    assert activated
    assert made["spec"]["paymentTerms"] == {**quarterly, "anchorMonth": activated.month}
