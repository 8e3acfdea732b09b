"""Card numbers are found however they are written, and little else is taken for one."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milo import card_numbers

VISA = "4111111111111111"


def with_check_digit(digits: str) -> str:
    """`digits` and the one that makes them pass the Luhn check."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 if place % 2 else 2)
        total += value - 9 if value > 9 else value
    return f"{digits}{-total % 10}"


@pytest.mark.parametrize(
    "text",
    [
        VISA,
        "5555555555554444",
        "378282246310005",
        "4222222222222",
        "6011111111111117",
        "6304000000000000000",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111.1111.1111.1111",
        "4111_1111_1111_1111",
        "4111/1111/1111/1111",
        "4111\t1111\n1111 1111",
        "4111\u00a01111\u00a01111\u00a01111",
        "4111\u20111111\u20131111\u20141111",
        "4111\u22121111\u00b71111\u20221111",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        f"the card is {VISA}, exp 12/27",
        f"no{VISA}x",
        f"12/27 {VISA} 123",
        "\uff14" + "\uff11" * 15,
        "\u0664" + "\u0661" * 15,
        "\u2074" + "\u00b9" * 15,
        "\U0001d7d2" + "\U0001d7cf" * 15,
        "4111\u200b1111\u200d1111\ufeff1111",
        "4111\u20611111\u202e1111\u20661111",
        "4\ufe0f\u20e3" + "1\ufe0f\u20e3" * 15,
        "4111\x011111\x021111\x031111",
        "4111  1111  1111  1111",
        "4111,1111,1111,1111",
        "4111, 1111, 1111, 1111",
        "4111\u31641111\uffa01111\u28001111",
        "ab4111111111111111" + "c" * 46,
        f"{VISA}{'a' * 16}",
        f"deadbeefcafef00d{VISA}",
        f"ab{VISA}deadbeefcafefeedfacade",
        f"{VISA}{'0' * 15}a",
        f"{'0' * 16}{VISA}",
        f"{VISA}{'0' * 24}",
        f"{'0' * 8}{VISA}{'0' * 8}",
        f"{VISA}{'7' * 5}",
        "4111|1111|1111|1111",
        "12/27|4111|1111|1111|1111|123",
        "4111:1111:1111:1111",
        "(4111)(1111)(1111)(1111)",
        "4111    1111    1111    1111",
        "4111 - 1111 - 1111 - 1111",
        "4111&nbsp;1111&nbsp;1111&nbsp;1111",
        "4x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1",
        "4111\U0001f4a91111\U0001f4a91111\U0001f4a91111",
        "4111\u3001 1111\u3001 1111\u3001 1111",
        "\u2783" + "\u2780" * 15,
        "urn:4111%201111%201111%201111",
        "%34%31%31%31" + "1" * 12,
        "4111%1111%1111%1111",
    ],
)
def test_a_card_number_is_found_however_it_is_written(text: str) -> None:
    assert card_numbers.found_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cc-12345",
        "424242XXXXXX4242",
        "4111111111111112",
        "411111111111",
        "00000000000000000000",
        "41111111 and 11111111",
        "1000, 2000, 3000, 4000",
        "2026-11-22 18:46:00",
        "2026-11-22T18:46:00.000000Z",
        "192.168.100.200",
        "+49 30 901820",
        "invoice 2026-0000417, 30 days",
        "charge-30f1a2b7-4111-4111-8111-11112345abcd",
        "CHARGE-30F1A2B7-4111-4111-8111-11112345ABCD",
        "f1d2d2f924e986ac86fdf7b36c94bcdf32beec15",
        "ab4111111111111112" + "c" * 46,
        "30 18:46:00.123456",
        "4|8|15|16|23|42|4|8|15|16",
        "4111|1111:1111|1111",
        "40000000000000000000000000000000",
        "12345678901234567890123456789012",
    ],
)
def test_what_is_no_card_number_passes(text: str) -> None:
    assert not card_numbers.found_in(text)


@given(
    digits=st.text("0123456789", min_size=12, max_size=18).map(with_check_digit),
    separator=st.sampled_from(["", " ", "-", ".", "_", "/", "\u2013", "\u00a0", "\u200b"]),
    group=st.integers(1, 6),
    before=st.sampled_from(["", "no. ", "card:", "x", "12 ", "2026-11-22 "]),
    after=st.sampled_from(["", ".", " 12/27", "-", "y"]),
)
def test_every_number_that_passes_the_check_is_found(
    digits: str, separator: str, group: int, before: str, after: str
) -> None:
    written = separator.join(digits[start : start + group] for start in range(0, len(digits), group))
    assert card_numbers.found_in(f"{before}{written}{after}")


@given(st.text("0123456789", min_size=12, max_size=18).map(with_check_digit), st.integers(1, 9))
def test_a_number_that_fails_the_check_passes(digits: str, off: int) -> None:
    assert not card_numbers.found_in(f"{digits[:-1]}{(int(digits[-1]) + off) % 10}")


@given(st.datetimes(timezones=st.just(UTC)))
def test_no_instant_in_a_note_is_taken_for_one(at: datetime) -> None:
    assert not card_numbers.found_in(f"moved at {at.isoformat()} by the operator")


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        ("none", []),
        (VISA, ["spec"]),
        ({"a": {"b": ["x", VISA]}}, ["spec.a.b[1]"]),
        ({"a": VISA, "b": VISA}, ["spec.a", "spec.b"]),
        ({VISA: "x"}, ["spec"]),
        ({VISA: {"a": VISA}}, ["spec"]),
        ({"a": int(VISA)}, ["spec.a"]),
        ({"a": float(VISA)}, ["spec.a"]),
        ({"a": [True, None, 5]}, []),
    ],
)
def test_it_is_found_at_any_depth_and_never_repeated(value: Any, fields: list[str]) -> None:
    causes = card_numbers.causes(value, "spec")
    assert [cause.field for cause in causes] == fields
    assert not any("1111" in f"{cause.field}{cause.message}" for cause in causes)


@pytest.mark.parametrize(
    "text",
    ["1 " * 128_000, "1" * 256_000, "é" * 256_000, "1|" * 128_000, "1|1:" * 64_000, "%31" * 85_000],
    ids=["many groups", "one group", "no digits", "even groups", "uneven groups", "escapes"],
)
def test_the_time_that_the_longest_annotation_takes_grows_with_its_length(text: str) -> None:
    """A search that looked at each digit again for each other would take 256 times as long as for a sixteenth."""
    assert _searched(text) < 64 * max(_searched(text[: len(text) // 16]), 0.02)


def _searched(text: str) -> float:
    begun = time.process_time()
    assert not card_numbers.found_in(text)
    return time.process_time() - begun


@pytest.mark.parametrize(
    "text",
    [VISA, "4111  1111  1111  1111", "4111, 1111, 1111, 1111", "ab4111111111111111" + "c" * 46, f"{VISA}{'a' * 16}",
     "\uff14" + "\uff11" * 15, "4111\u31641111\uffa01111\u28001111", f"{VISA}, {VISA}",
     f"{'0' * 16}{VISA}", "4111|1111|1111|1111", "4111    1111    1111    1111", "4111%201111%201111%201111",
     f"{VISA} 4111%201111%201111%201111", f"{VISA} 4111|1111|1111|1111",
     f"{VISA}  4111%1111%1111%1111 4111%201111%201111%201111",
     "\u2783" + "\u2780" * 15],
)  # fmt: skip
def test_what_is_found_is_masked_and_found_no_more(text: str) -> None:
    shown = card_numbers.masked(f"not {text} found")
    assert "4111" not in shown
    assert "1111" not in shown
    assert not card_numbers.found_in(shown)
    assert shown.startswith("not ")


def test_an_excerpt_is_masked_before_it_is_cut() -> None:
    assert card_numbers.excerpt(f"{'a' * 70}{VISA}", 80) == "a" * 70 + "*" * 10
