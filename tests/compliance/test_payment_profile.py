from datetime import date, timedelta
from typing import Any

import pytest

from billing.compliance.dataset import data
from billing.compliance.findings import Severity
from billing.compliance.payment_methods import PaymentMethod
from billing.payment_profile.payment_fields import FIELDS, holds_iban, secret_in
from billing.payment_profile.profiles import causes, expires_on, expiring, method_of, methods
from tests.compliance.facts import TODAY, facts, found

MEMBERS = list(methods())
PATH = "spec.paymentProfile"
IBAN = "DE89 3704 0044 0532 0130 00"
CARD_NUMBER = "4111 1111 1111 1111"
SAMPLES: dict[str, Any] = {
    "accountType": "checking",
    "bankCountry": "DE",
    "bic": "DEUTDEFF",
    "bsbLast3": "123",
    "clabeVirtualReference": "032180000118359719",
    "debtorBankConfirmed": True,
    "entity": "11604",
    "expMonth": 12,
    "expYear": 2027,
    "institutionNumber": "001",
    "issuerCountry": "US",
    "kidNumber": "2345676",
    "mandateMaxAmount": "15000.00",
    "padAgreementType": "business",
    "payerEmailMasked": "a***@acme.example",
    "payerTaxId": "16.727.230/0001-97",
    "pixTxid": "7978c0c97ea847e78e8849634473c1f1",
    "qrReference": "21 00000 00003 13947 14300 09017",
    "remittanceReference": "RF71 2348 231",
    "sortCodeLast2": "42",
    "transitLast2": "42",
    "virtualAccountNumberRef": "8277 0812 3456 7890",
    **dict.fromkeys(["authorizationDate", "mandateSignedDate"], "2026-03-01"),
    "mandateValidUntil": "2028-03-01",
    **dict.fromkeys(["last4", "accountLast4", "cbuLast4", "ibanLast4", "payerIbanLast4", "routingLast4"], "4242"),
}


def sample(name: str) -> Any:
    return SAMPLES.get(name, "ref-12345")


def profile(method: PaymentMethod, **details: Any) -> dict[str, Any]:
    required = {group[0]: sample(group[0]) for group in method.required}
    return {method.member: required | details}


def a_country_of(method: PaymentMethod) -> str:
    return min(method.countries) if method.countries else "US"


def a_currency_of(method: PaymentMethod) -> str:
    row = data().jurisdiction(a_country_of(method), TODAY)
    domestic = row.currency if row and method.domestic_currency else "USD"
    return min(method.currencies) if method.currencies else domestic


def expected(method: PaymentMethod) -> Severity:
    return Severity.ERROR if method.firm else Severity.WARNING


def fields(given: Any) -> list[str]:
    return [cause.field for cause in causes(given)]


def card(**details: Any) -> dict[str, Any]:
    return {"creditCard": {"cardReference": "cc-12345"} | details}


@pytest.mark.parametrize("member", MEMBERS)
def test_a_method_is_accepted_with_its_references_in_its_country_and_currency(member: str) -> None:
    method = methods()[member]
    full = profile(method, **{name: sample(name) for name in method.optional})
    assert causes(full, TODAY) == []
    account = facts(a_country_of(method), currency_code=a_currency_of(method), payment_method=member)
    assert found("method.", account) == []


@pytest.mark.parametrize("member", MEMBERS)
def test_a_method_is_refused_without_each_of_its_references(member: str) -> None:
    method = methods()[member]
    for group in method.required:
        given = profile(method)
        del given[member][group[0]]
        (cause,) = causes(given)
        assert (cause.field, cause.reason) == (f"{PATH}.{member}.{group[0]}", "FieldValueRequired")


@pytest.mark.parametrize("member", [member for member in MEMBERS if methods()[member].countries is not None])
def test_a_method_is_refused_in_a_country_that_is_not_its_own(member: str) -> None:
    method = methods()[member]
    account = facts("BO", currency_code=a_currency_of(method), payment_method=member)
    (finding,) = found("method.country", account)
    assert finding.severity is expected(method)
    assert finding.field == f"{PATH}.{member}"
    assert "BO" in finding.message


@pytest.mark.parametrize(
    "member", [name for name in MEMBERS if methods()[name].currencies is not None or methods()[name].domestic_currency]
)
def test_a_method_is_refused_in_a_currency_that_is_not_its_own(member: str) -> None:
    method = methods()[member]
    account = facts(a_country_of(method), currency_code="BOB", payment_method=member)
    (finding,) = found("method.currency", account)
    assert finding.severity is expected(method)
    assert "BOB" in finding.message


def test_methods_of_every_country_and_currency_are_just_the_four_of_the_data() -> None:
    everywhere = {name for name in MEMBERS if methods()[name].countries is None}
    assert everywhere == {"creditCard", "paypal", "bankTransferSwift", "invoicePurchaseOrder"}
    assert {name for name in MEMBERS if not methods()[name].currencies} == everywhere | {"cheque"}


def test_a_scheme_among_businesses_is_not_for_consumers() -> None:
    account = facts("DE", currency_code="EUR", payment_method="sepaDebitB2b", customer_kind="individual")
    (finding,) = found("method.", account)
    assert (finding.severity, finding.rule) == (Severity.ERROR, "method.kind.sepa_debit_b2b")


def test_every_field_of_the_data_has_a_form_and_every_form_a_field() -> None:
    assert {name for method in methods().values() for name in method.fields} == set(FIELDS)


def test_the_example_of_the_specification_is_valid() -> None:
    assert causes({"creditCard": {"cardReference": "cc-12345"}}) == []
    assert causes({"creditCard": {"cardReference": "424242XXXXXX4242"}}) == []
    assert causes(None) == []


@pytest.mark.parametrize(
    "given",
    [{}, {"creditCard": {}, "paypal": {}}, {"goldBar": {}}, {"card": {"cardReference": "cc-12345"}}, {CARD_NUMBER: {}}],
)
def test_a_profile_names_exactly_one_known_method(given: dict[str, Any]) -> None:
    (cause,) = causes(given)
    assert cause.field == PATH
    assert "1111" not in cause.message


@pytest.mark.parametrize("details", [None, [], "cc-12345", 1])
def test_a_method_is_an_object(details: Any) -> None:
    assert fields({"creditCard": details}) == [f"{PATH}.creditCard"]


@pytest.mark.parametrize("key", ["pan", "cvv", "track", "pin", "PAN", "iban", "cardNumber"])
def test_what_nobody_may_keep_has_no_place(key: str) -> None:
    for member in MEMBERS:
        assert fields(profile(methods()[member], **{key: "x"})) == [f"{PATH}.{member}.{key}"]


def test_a_number_in_the_place_of_a_name_is_not_repeated() -> None:
    assert fields(card(**{CARD_NUMBER: 1})) == [f"{PATH}.creditCard"]
    assert fields(card(**{"DE89370400440532013000": 1})) == [f"{PATH}.creditCard"]


TEXTS = sorted({name for name in FIELDS if FIELDS[name].type is str and not FIELDS[name].holds_account_number})


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize(
    "secret", [CARD_NUMBER, "4111-1111-1111-1111", "card 4111111111111111", IBAN, f"of {IBAN} now"]
)
def test_no_field_takes_a_card_number_or_an_iban(name: str, secret: str) -> None:
    method = next(method for method in methods().values() if name in method.fields)
    found_causes = causes(profile(method, **{name: secret}))
    assert [cause.field for cause in found_causes] == [f"{PATH}.{method.member}.{name}"]
    assert "1111" not in found_causes[0].message
    assert "3704" not in found_causes[0].message


@pytest.mark.parametrize(
    ("member", "field", "value"),
    [
        ("creditCard", "cardReference", "123"),
        ("creditCard", "cardReference", "1234"),
        ("creditCard", "cardReference", " "),
        ("creditCard", "cardReference", 12345),
        ("creditCard", "cardReference", "x" * 201),
        ("creditCard", "cardReference", "a\x00b"),
        ("creditCard", "last4", "42"),
        ("creditCard", "last4", "٤٢٤٢"),
        ("creditCard", "expMonth", 13),
        ("creditCard", "expMonth", True),
        ("creditCard", "expYear", 27),
        ("creditCard", "issuerCountry", "UK"),
        ("bacsDebit", "accountToken", "55779911"),
        ("bacsDebit", "accountToken", "20-00-00 55779911"),
        ("bacsDebit", "mandateReference", "x" * 19),
        ("sepaDebitCore", "mandateReference", "x" * 36),
        ("sepaDebitCore", "mandateReference", "Ä-1"),
        ("sepaDebitCore", "mandateSignedDate", "01.03.2026"),
        ("sepaDebitCore", "mandateSignedDate", "20260301"),
        ("sepaDebitCore", "bankCountry", "US"),
        ("sepaDebitCore", "bic", "DEUT"),
        ("sepaDebitB2b", "debtorBankConfirmed", False),
        ("sepaDebitB2b", "debtorBankConfirmed", "yes"),
        ("sepaCreditTransfer", "remittanceReference", "RF72 2348 231"),
        ("cardInEmandate", "mandateMaxAmount", "0"),
        ("cardInEmandate", "mandateMaxAmount", "1e5"),
        ("cardInEmandate", "mandateMaxAmount", "a lot"),
        ("acssPad", "padAgreementType", "family"),
        ("upiAutopay", "vpaToken", "somebody@bank"),
        ("spei", "clabeVirtualReference", "032180000118359718"),
        ("spei", "clabeVirtualReference", "3218000011835971"),
        ("pix", "payerTaxId", "16727230000198"),
        ("pix", "pixTxid", "short"),
        ("swissQrBill", "qrReference", "210000000003139471430009018"),
        ("avtalegiroNo", "kidNumber", "2345677"),
        ("multibanco", "entity", "1160"),
        ("cbuDebitAr", "cbuToken", "2850590940090418135201"),
        ("paypal", "payerEmailMasked", "anna@acme.example"),
    ],
)
def test_a_malformed_value_is_refused(member: str, field: str, value: Any) -> None:
    given = profile(methods()[member], **{field: value})
    if field.startswith("exp"):
        given[member] = {"expMonth": 1, "expYear": 2030} | given[member]
    assert fields(given) == [f"{PATH}.{member}.{field}"]


def test_a_reference_or_another_is_enough() -> None:
    assert causes({"sepaCreditTransfer": {"virtualAccountReference": IBAN}}) == []
    assert causes({"sepaCreditTransfer": {"remittanceReference": "invoice 12"}}) == []
    (cause,) = causes({"sepaCreditTransfer": {}})
    assert "remittanceReference" in cause.message


def test_a_virtual_account_may_look_like_a_card() -> None:
    assert causes({"vaBankTransferId": {"virtualAccountNumberRef": "4111111111111111"}}) == []


def test_a_kid_may_be_checked_by_modulus_11() -> None:
    given = {"avtalegiroNo": {"mandateReference": "m-1", "kidNumber": "1234567892"}}
    assert causes(given) == []
    given["avtalegiroNo"]["kidNumber"] = "1234567891"
    assert fields(given) == [f"{PATH}.avtalegiroNo.kidNumber"]


def test_half_an_expiry_is_refused() -> None:
    assert fields(card(expMonth=12)) == [f"{PATH}.creditCard"]


@pytest.mark.parametrize(
    ("today", "expired", "soon"),
    [
        (date(2027, 11, 30), False, False),
        (date(2027, 12, 1), False, True),
        (date(2027, 12, 31), False, True),
        (date(2028, 1, 1), True, False),
    ],
)
def test_a_card_is_good_to_the_end_of_its_month_and_announces_its_end_for_30_days(
    today: date, expired: bool, soon: bool
) -> None:
    given = card(expMonth=12, expYear=2027)
    assert expires_on(given) == date(2027, 12, 31)
    assert bool(causes(given, today)) is expired
    assert causes(given) == []
    notice = expiring(given, today)
    assert bool(notice) is soon
    if notice:
        assert (notice.severity, notice.rule) == (Severity.WARNING, "profile.expiring")
        assert "2027-12-31" in notice.message


def test_a_mandate_expires_on_the_day_it_names_and_a_plain_card_on_none() -> None:
    mandate = profile(methods()["cardInEmandate"])
    end = date(2028, 3, 1)
    assert expires_on(mandate) == end
    assert causes(mandate, end) == []
    assert [cause.field for cause in causes(mandate, end + timedelta(days=1))] == [f"{PATH}.cardInEmandate"]
    assert expires_on(card()) is None
    assert expiring(card(), TODAY) is None


def test_the_name_of_the_method_is_told() -> None:
    assert method_of(card()) == "creditCard"
    assert method_of(None) == method_of({}) == ""


@pytest.mark.parametrize("text", ["cc-12345", "pm_1MtwBwLkdIwHu7ix28a3tqPa", "DE89", "RF71 2348 231", "invoice DE12"])
def test_a_reference_holds_no_secret(text: str) -> None:
    assert secret_in(text) == ""


@pytest.mark.parametrize(
    "text", ["de89370400440532013000", "IBAN: GB33-BUKB-2020-1555-5555-55.", "x DE89 37040044 0532013000 y"]
)
def test_an_iban_is_found_however_it_is_grouped(text: str) -> None:
    assert holds_iban(text)


@pytest.mark.parametrize(
    ("reference", "valid"),
    [
        ("M1", True),
        ("M/1", True),
        ("M-1/2026", True),
        ("a'b(c)+d,e.f:g?h", True),
        ("A" * 35, True),
        ("A" * 36, False),
        ("/M1", False),
        ("M1/", False),
        ("M//1", False),
        ("//", False),
        ("/", False),
        (" M1", False),
        ("M1 ", False),
        ("M_1", False),
        ("M\u00e41", False),
        ("M1\n", False),
    ],
)
@pytest.mark.parametrize("member", ["sepaDebitCore", "sepaDebitB2b"])
def test_a_reference_of_a_sepa_mandate_follows_the_rules_of_iso_20022(member: str, reference: str, valid: bool) -> None:
    given = profile(methods()[member], mandateReference=reference)
    assert fields(given) == ([] if valid else [f"{PATH}.{member}.mandateReference"])


SIGNED = [
    (member, field)
    for member in MEMBERS
    for field in sorted(methods()[member].fields & {"mandateSignedDate", "authorizationDate"})
]


@pytest.mark.parametrize(("member", "field"), SIGNED)
def test_nothing_is_signed_in_the_future(member: str, field: str) -> None:
    def signed(day: str) -> list[str]:
        return [cause.field for cause in causes(profile(methods()[member], **{field: day}), TODAY)]

    assert signed("2099-01-01") == [f"{PATH}.{member}.{field}"]
    assert signed((TODAY + timedelta(days=2)).isoformat()) == [f"{PATH}.{member}.{field}"]
    # where the payer signs, the next day may have begun
    assert signed((TODAY + timedelta(days=1)).isoformat()) == []
    assert signed(TODAY.isoformat()) == []
