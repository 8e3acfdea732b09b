"""Addresses of the Peppol network hold exactly what their scheme says, for every scheme of the list."""

import re
from datetime import date, timedelta

import pytest

from billing.compliance.dataset import data
from billing.compliance.einvoicing import EInvoicing
from billing.compliance.findings import Severity
from billing.compliance.peppol_schemes import PeppolScheme
from billing.compliance.preferences import Preferences
from tests.compliance.facts import TODAY, facts, found

SCHEMES = list(data().peppol_schemes.values())
WITH_FORM = [scheme for scheme in SCHEMES if scheme.form]
CHECKED = [scheme for scheme in WITH_FORM if scheme.checks]
# python-stdnum knows the form of these numbers, and check digits of a part of them or none
FORM_ONLY = {"0209", "9922", "9923", "9951", "9959"}
RETIRED = [scheme for scheme in SCHEMES if scheme.effective_to]


def name(scheme: PeppolScheme) -> str:
    return scheme.scheme


def faults(participant: str, on: date = TODAY) -> list[str]:
    given = EInvoicing(peppol_participant_id=participant).normalised()
    return [cause.message for cause in given.causes(government=False, on=on)]


def numbers(scheme: PeppolScheme) -> list[tuple[int, int]]:
    """Where the numbers with check digits stand in the example."""
    assert scheme.form
    match = scheme.form.fullmatch(scheme.example)
    assert match
    groups = range(1, scheme.form.groups + 1) if scheme.form.groups else (0,)
    return [match.span(group) for group in groups if match.start(group) >= 0]


def test_the_schemes_are_those_of_the_code_list_and_of_en_16931() -> None:
    assert len(SCHEMES) == 113
    assert sum("PEPPOL_CODES" in scheme.source for scheme in SCHEMES) == 105
    for row in data().jurisdictions.values():
        assert set(row[-1].peppol_schemes) <= {scheme.scheme for scheme in SCHEMES}


@pytest.mark.parametrize("scheme", WITH_FORM, ids=name)
def test_the_example_of_a_scheme_is_accepted_in_any_case(scheme: PeppolScheme) -> None:
    for written in (scheme.example, scheme.example.lower(), scheme.example.upper()):
        assert faults(f"{scheme.scheme}:{written}") == []


@pytest.mark.parametrize("scheme", WITH_FORM, ids=name)
def test_separators_and_other_digits_are_refused(scheme: PeppolScheme) -> None:
    example = scheme.example
    middle = len(example) // 2
    arabic = re.sub("[0-9]", lambda digit: chr(0x0660 + int(digit[0])), example)
    wrong = [f"{example[:middle]} {example[middle:]}", f"{example}\u200b", f" {example}", f"{example}/", f"{example}\n"]
    for written in [*wrong, *([arabic] if arabic != example else [])]:
        assert not scheme.accepts(written), written


@pytest.mark.parametrize("scheme", [each for each in CHECKED if each.scheme not in FORM_ONLY], ids=name)
def test_one_digit_off_is_refused(scheme: PeppolScheme) -> None:
    for start, end in numbers(scheme):
        digits = [place for place in range(start, end) if scheme.example[place].isdecimal()]
        accepted = 0
        for place in digits:
            for digit in "0123456789":
                off = scheme.example[:place] + digit + scheme.example[place + 1 :]
                accepted += off != scheme.example and scheme.accepts(off)
        # some checks take two remainders for one digit
        assert accepted <= len(digits) * 9 * 0.25, (scheme.scheme, accepted)


@pytest.mark.parametrize("scheme", CHECKED, ids=name)
def test_a_digit_too_few_or_too_many_is_refused(scheme: PeppolScheme) -> None:
    open_ended = {
        "0097",
        "0209",
        "0216",
        "0225",
        "0246",
        "9947",
        "9951",
        "0002",
        "0218",
        "9929",
        "9926",
        "0037",
        "9932",
    }
    for start, end in numbers(scheme):
        shorter = scheme.example[:start] + scheme.example[start + 1 :]
        longer = scheme.example[:end] + "0" + scheme.example[end:]
        assert not scheme.accepts(shorter) or scheme.scheme in open_ended, shorter
        assert not scheme.accepts(longer) or scheme.scheme in open_ended, longer


@pytest.mark.parametrize("scheme", RETIRED, ids=name)
def test_a_scheme_that_peppol_removed_is_refused_from_the_day_after(scheme: PeppolScheme) -> None:
    assert scheme.effective_to
    participant = f"{scheme.scheme}:12345678"
    (fault,) = faults(participant, scheme.effective_to + timedelta(1))
    assert str(scheme.effective_to) in fault
    assert faults(participant, scheme.effective_to) == []


def test_a_scheme_that_peppol_does_not_know_is_refused() -> None:
    known = {scheme.scheme for scheme in SCHEMES}
    for number in range(10_000):
        if f"{number:04}" not in known:
            assert faults(f"{number:04}:0428759497"), number


@pytest.mark.parametrize(
    ("participant", "valid"),
    [
        ("0208:0428759497", True),
        ("0208:BE0428759497", False),
        ("0208:428759497", False),
        ("0007:5560160680", True),
        ("0007:556016-0680", False),
        ("0088:0088123456789", False),
        ("0184:13585628", True),
        ("0184:DK13585628", True),
        ("0184:13585629", False),
        ("0198:DK26769388", True),
        ("0198:26769388", False),
        ("0192:974760673MVA", False),
        ("0216:003701120389", True),
        ("0216:01120389", False),
        ("0221:T7000012050002", True),
        ("0221:7000012050002", False),
        ("0188:7000012050002", True),
        ("0195:SGUEN198701234A", False),
        ("0195:T08GA0028A", False),
        ("0211:IT00743110157", True),
        ("0211:00743110157", False),
        ("0225:732829320", True),
        ("0225:732829320_73282932000074", True),
        ("0225:732829320_73282932000074_COMPTA-1.a", True),
        ("0225:732829320_COMPTA", True),
        ("0225:356000000_35600000000048", True),
        ("0225:356000000_35600000049837", True),
        ("0225:356000000_35600000000002", False),
        ("0225:732829321", False),
        ("0225:73282932000074", False),
        ("0225:732829320_73282932000075", False),
        ("0225:732829320_35600000000048", False),
        ("0225:732829320_", False),
        ("0225:732829320_A/B", False),
        ("0225:732829320_" + "A" * 115, True),
        ("0225:732829320_" + "A" * 116, False),
        ("0225:732829320_4111111111111111", False),
        ("9913:4111111111111111", False),
        ("9925:BE0428759497", True),
        ("9925:428759497", False),
        ("9933:94259216", False),
        ("0193:anything", False),
        ("9956:0428759497", False),
        ("9999:0428759497", False),
    ],
)
def test_an_address_is_exactly_what_its_scheme_says(participant: str, valid: bool) -> None:
    assert (faults(participant) == []) is valid, faults(participant)


def test_an_address_that_was_given_before_its_scheme_was_removed_breaks_no_account() -> None:
    before = Preferences(country="BE", e_invoicing=EInvoicing("PEPPOL_BIS3", peppol_participant_id="0193:12345678"))
    assert before.causes(TODAY, before) == []
    assert [cause.field for cause in before.causes(TODAY)] == [
        "spec.preferences.eInvoicing.identifiers.peppolParticipantId"
    ]
    (warning,) = found("einvoice.identifier", facts("BE", e_invoicing=before.e_invoicing))
    assert (warning.severity, "2026-07-07" in warning.message) == (Severity.WARNING, True)


@pytest.mark.parametrize("scheme", [scheme for scheme in SCHEMES if not scheme.registrable], ids=name)
def test_a_scheme_outside_the_network_is_warned_of(scheme: PeppolScheme) -> None:
    given = EInvoicing("PEPPOL_BIS3", peppol_participant_id=f"{scheme.scheme}:{scheme.example or 'A1'}")
    (warning,) = found("einvoice.identifier", facts("US", e_invoicing=given))
    assert (warning.severity, scheme.scheme in warning.message) == (Severity.WARNING, True)
