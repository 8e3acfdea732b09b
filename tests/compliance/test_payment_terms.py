from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing.terms.payment_terms import EarlyPaymentDiscount, LatePaymentPenalty, PaymentTerms

TERMS = PaymentTerms(net_days=30, invoice_frequency="Quarterly", invoice_day_of_month=15, anchor_month=1)


def faults(**fields: Any) -> list[str]:
    return [cause.field.removeprefix("spec.paymentTerms.") for cause in replace(TERMS, **fields).causes()]


def test_full_terms_have_no_fault() -> None:
    full = replace(
        TERMS,
        business_day_convention="MODIFIED_FOLLOWING",
        early_payment_discount=EarlyPaymentDiscount(Decimal(2), 10),
        late_payment_penalty=LatePaymentPenalty(Decimal("9.12"), 5),
        extended_terms_agreed=True,
    )
    assert full.causes() == []
    assert full.missing() == []


def test_terms_of_before_need_nothing_new() -> None:
    assert PaymentTerms(30, "Monthly", 1).causes() == []
    assert [cause.field for cause in PaymentTerms().missing()] == [
        "spec.paymentTerms.netDays",
        "spec.paymentTerms.invoiceFrequency",
        "spec.paymentTerms.invoiceDayOfMonth",
    ]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"net_days": 366}, "netDays"),
        ({"net_days": -1}, "netDays"),
        ({"invoice_frequency": "Weekly"}, "invoiceFrequency"),
        ({"invoice_day_of_month": 29}, "invoiceDayOfMonth"),
        ({"anchor_month": 0}, "anchorMonth"),
        ({"anchor_month": 13}, "anchorMonth"),
        ({"business_day_convention": "Following"}, "businessDayConvention"),
    ],
)
def test_a_fault_names_its_field(fields: dict[str, Any], path: str) -> None:
    assert faults(**fields) == [path]


@pytest.mark.parametrize("percent", ["0", "-1", "100", "150", "2.12345", "NaN", "Infinity", "1E+900"])
def test_a_discount_is_over_0_and_under_100_percent(percent: str) -> None:
    assert faults(early_payment_discount=EarlyPaymentDiscount(Decimal(percent), 10)) == ["earlyPaymentDiscount.percent"]


@pytest.mark.parametrize("days", [-1, 30, 31])
def test_the_days_of_a_discount_are_fewer_than_the_net_days(days: int) -> None:
    assert faults(early_payment_discount=EarlyPaymentDiscount(Decimal(2), days)) == ["earlyPaymentDiscount.days"]


def test_a_discount_without_net_days_is_measured_once_they_are_known() -> None:
    assert faults(net_days=None, early_payment_discount=EarlyPaymentDiscount(Decimal(2), 300)) == []


@pytest.mark.parametrize("rate", ["0", "-3", "100.01", "1.00001", "NaN"])
def test_a_penalty_is_a_rate_over_0_and_up_to_100_percent_a_year(rate: str) -> None:
    assert faults(late_payment_penalty=LatePaymentPenalty(Decimal(rate))) == ["latePaymentPenalty.annualRatePercent"]


@pytest.mark.parametrize("days", [-1, 366])
def test_grace_days_are_0_to_365(days: int) -> None:
    assert faults(late_payment_penalty=LatePaymentPenalty(Decimal(9), days)) == ["latePaymentPenalty.graceDays"]


def test_all_faults_come_at_once() -> None:
    found = faults(
        net_days=-1, anchor_month=0, late_payment_penalty=LatePaymentPenalty(Decimal(0), -1), invoice_frequency=""
    )
    assert found == [
        "netDays",
        "invoiceFrequency",
        "anchorMonth",
        "latePaymentPenalty.annualRatePercent",
        "latePaymentPenalty.graceDays",
    ]


def test_activation_gives_the_anchor_month_once() -> None:
    activated = PaymentTerms(30, "Annual", 1).anchored(date(2026, 4, 10))
    assert activated.anchor_month == 4
    assert activated.anchored(date(2026, 9, 1)) == activated


@pytest.mark.parametrize(
    "fields",
    [
        {"net_days": 0},
        {"net_days": 365},
        {"invoice_day_of_month": 1},
        {"invoice_day_of_month": 28},
        {"anchor_month": 1},
        {"anchor_month": 12},
        {"early_payment_discount": EarlyPaymentDiscount(Decimal("0.0001"), 0)},
        {"early_payment_discount": EarlyPaymentDiscount(Decimal("99.9999"), 29)},
        {"late_payment_penalty": LatePaymentPenalty(Decimal("0.0001"), 0)},
        {"late_payment_penalty": LatePaymentPenalty(Decimal(100), 365)},
    ],
)
def test_a_bound_is_inside(fields: dict[str, Any]) -> None:
    assert faults(**fields) == []


@pytest.mark.parametrize(
    ("fields", "reason", "message"),
    [
        ({"net_days": 366}, "FieldValueInvalid", "must be between 0 and 365"),
        ({"invoice_frequency": "Weekly"}, "FieldValueNotSupported", "must be one of Monthly, Quarterly, Annual"),
        ({"invoice_day_of_month": 29}, "FieldValueInvalid", "must be between 1 and 28"),
        ({"anchor_month": 0}, "FieldValueInvalid", "must be between 1 and 12"),
        (
            {"business_day_convention": "Following"},
            "FieldValueNotSupported",
            "must be one of NONE, FOLLOWING, MODIFIED_FOLLOWING, PRECEDING",
        ),
        (
            {"early_payment_discount": EarlyPaymentDiscount(Decimal(100), 0)},
            "FieldValueInvalid",
            "must be over 0 and under 100, with at most 4 decimal places",
        ),
        (
            {"early_payment_discount": EarlyPaymentDiscount(Decimal(1), 30)},
            "FieldValueInvalid",
            "must be at least 0 and under netDays",
        ),
        (
            {"late_payment_penalty": LatePaymentPenalty(Decimal("100.5"))},
            "FieldValueInvalid",
            "must be over 0 and at most 100, with at most 4 decimal places",
        ),
        (
            {"late_payment_penalty": LatePaymentPenalty(Decimal(1), 366)},
            "FieldValueInvalid",
            "must be between 0 and 365",
        ),
    ],
)
def test_a_fault_says_what_is_accepted(fields: dict[str, Any], reason: str, message: str) -> None:
    (cause,) = replace(TERMS, **fields).causes()
    assert (cause.reason, cause.message) == (reason, message)


def test_terms_come_back_from_their_manifest_without_what_is_the_default() -> None:
    full = replace(
        TERMS,
        business_day_convention="FOLLOWING",
        early_payment_discount=EarlyPaymentDiscount(Decimal("2.5000"), 10),
        late_payment_penalty=LatePaymentPenalty(Decimal("9.1200"), 5),
        extended_terms_agreed=True,
    )
    assert full.as_json() == {
        "netDays": 30,
        "invoiceFrequency": "Quarterly",
        "invoiceDayOfMonth": 15,
        "anchorMonth": 1,
        "businessDayConvention": "FOLLOWING",
        "extendedTermsAgreed": True,
        "earlyPaymentDiscount": {"percent": "2.5", "days": 10},
        "latePaymentPenalty": {"annualRatePercent": "9.12", "graceDays": 5},
    }
    assert PaymentTerms().as_json() == {}
    assert all(PaymentTerms.from_json(terms.as_json()) == terms for terms in (full, TERMS, PaymentTerms()))
    assert replace(TERMS, late_payment_penalty=LatePaymentPenalty(Decimal("1E+2"))).as_json()["latePaymentPenalty"] == {
        "annualRatePercent": "100",
        "graceDays": 0,
    }


@pytest.mark.parametrize(
    ("before", "after", "waived"),
    [
        (None, None, False),
        (None, (9, 5), False),
        ((9, 5), None, True),
        ((9, 5), (9, 5), False),
        ((9, 5), (8, 5), True),
        ((9, 5), (9, 6), True),
        ((9, 5), (10, 6), True),
        ((9, 5), (10, 4), False),
    ],
)
def test_a_penalty_is_waived_by_a_lower_rate_or_by_more_grace(
    before: tuple[int, int] | None, after: tuple[int, int] | None, waived: bool
) -> None:
    old, new = (
        replace(TERMS, late_payment_penalty=each and LatePaymentPenalty(Decimal(each[0]), each[1]))
        for each in (before, after)
    )
    assert new.waives_penalty_of(old) is waived
