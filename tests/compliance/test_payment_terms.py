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
