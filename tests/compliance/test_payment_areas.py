"""Who can be debited in SEPA, and since when: EPC409-09, its territories included."""

from datetime import date

import pytest

from billing.compliance.dataset import data
from billing.compliance.findings import Severity
from billing.payment_profile.profiles import causes, methods
from tests.compliance.facts import TODAY, facts, found

SEPA = [member for member in methods() if member.startswith("sepa")]
TERRITORIES = "AX BL GF GG GI GP IM JE MF MQ PM RE YT".split()
# overseas, and outside SEPA; a candidate; one that uses the euro by itself
OUTSIDE = "NC PF WF TF GL FO AW CW SX BQ BA XK TR UA US".split()
SINCE = {
    "AD": date(2019, 3, 1), "VA": date(2019, 3, 1), "AL": date(2025, 10, 7), "MD": date(2025, 10, 7),
    "ME": date(2025, 10, 7), "MK": date(2025, 10, 7), "RS": date(2026, 5, 5),
}  # fmt: skip


def refused(country: str, member: str, on: date = TODAY) -> bool:
    account = facts(country, currency_code="EUR", payment_method=member)
    return [finding.severity for finding in found("method.country", account, on=on)] == [Severity.ERROR]


def test_three_methods_are_of_the_area() -> None:
    assert SEPA == ["sepaCreditTransfer", "sepaDebitB2b", "sepaDebitCore"]
    assert all(len(methods()[member].countries or ()) == 54 for member in SEPA)


@pytest.mark.parametrize("member", SEPA)
@pytest.mark.parametrize("country", [*TERRITORIES, *SINCE, "MC", "SM", "CH", "GB", "DE"])
def test_a_payer_of_the_area_is_accepted_its_bank_too(member: str, country: str) -> None:
    assert not refused(country, member)
    if member == "sepaDebitCore":
        mandate = {
            "mandateReference": "M1",
            "mandateSignedDate": "2026-01-15",
            "ibanToken": "b1",
            "bankCountry": country,
        }
        assert causes({member: mandate | {"bankCountry": country}}, TODAY) == []


@pytest.mark.parametrize("member", SEPA)
@pytest.mark.parametrize("country", OUTSIDE)
def test_a_payer_outside_is_refused(member: str, country: str) -> None:
    assert refused(country, member)


@pytest.mark.parametrize("member", SEPA)
@pytest.mark.parametrize("country", SINCE)
def test_a_country_that_joined_is_refused_before_its_day(member: str, country: str) -> None:
    since = SINCE[country]
    assert not refused(country, member, since)
    assert refused(country, member, date.fromordinal(since.toordinal() - 1))
    assert not refused("DE", member, date(2000, 1, 1))


def test_what_a_method_is_else_does_not_change_with_the_area() -> None:
    for member in SEPA:
        rows = data().methods[member]
        assert [row.effective_from for row in rows] == [None, date(2019, 3, 1), date(2025, 10, 7), date(2026, 5, 5)]
        assert len({(row.required, row.optional, row.currencies, row.source) for row in rows}) == 1
