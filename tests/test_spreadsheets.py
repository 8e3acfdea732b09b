"""CSV in a spreadsheet: no text of a customer is run, and none is split into other cells."""

import csv
import io
import re
import unicodedata
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from milo.spreadsheets import csv_text

SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b"
BLANKS = ["", " ", "  ", "\t", "\r", "\n", "\u00a0", "\u200b", "\ufeff", "\ufeff \t", "\u3000", "\x00", "\u2060"]
SEPARATORS = ",;\t"


def cells(line: str, separator: str) -> list[str]:
    """What a spreadsheet with this list separator makes of a file, in the kindest reading of its quotes."""
    return [cell for row in csv.reader(io.StringIO(line, newline=""), delimiter=separator) for cell in row]


def is_run(cell: str) -> bool:
    """Whether a spreadsheet could take a cell for a formula: by its first sign, after what nobody sees."""
    seen = "".join(
        letter
        for letter in unicodedata.normalize("NFKC", cell)
        if not letter.isspace() and unicodedata.category(letter) not in ("Cf", "Cc", "Zs")
    )
    return seen.startswith(("=", "+", "-", "@")) and not re.fullmatch(r"-[0-9]+(\.[0-9]+)?", cell)


@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize("before", ["", "x", "x;", 'x";', "x\t", "x\n", '";', "','"])
def test_no_cell_is_a_formula_whichever_separator_it_is_read_by(before: str, separator: str) -> None:
    for blank, sign in product(BLANKS, SIGNS):
        text = f"{before}{blank}{sign}cmd|' /C calc'!A0"
        for row in ([text], ["first", text], [text, "last"], ["first", text, "last"]):
            written = csv_text([row])
            assert [cell for cell in cells(written, separator) if is_run(cell)] == [], written


@given(st.lists(st.lists(st.text(max_size=12), min_size=1, max_size=4), max_size=4))
@example([["a;b", "c\td", 'e"f', "g\nh", " i "]])
@example([["1,5"], ["", ""]])
def test_texts_come_back_but_for_the_apostrophes(rows: list[list[str]]) -> None:
    read = list(csv.reader(io.StringIO(csv_text(rows), newline="")))
    plain = [[cell.replace("'", "") for cell in row] for row in rows]
    assert [[cell.replace("'", "") for cell in row] for row in read] == [row if row != [""] else [] for row in plain]


@pytest.mark.parametrize("text", ["a;b", "a,b", "a\tb", "a\nb", 'a"b', " a", "a ", "\ufeffa", "=1", "'a", "a|b"])
def test_what_a_spreadsheet_could_split_or_run_is_in_quotes(text: str) -> None:
    written = csv_text([["x", text]]).removesuffix("\r\n").removeprefix("x,")
    assert written.startswith('"')
    assert written.endswith('"')


def test_numbers_and_plain_texts_stay_as_they_are() -> None:
    assert csv_text([["us", "-12.50", -3, 4.5, None, True, "a-b"]]) == "us,-12.50,-3,4.5,,True,a-b\r\n"
