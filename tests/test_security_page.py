"""docs/security.md: each requirement of ASVS 5.0 up to level 2 is answered once, and the answers name what there is."""

import re
from collections import Counter
from pathlib import Path

import pytest

from milo.settings.environment import all_variables

pytestmark = pytest.mark.once
ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs/security.md").read_text()
# https://github.com/OWASP/ASVS, 5.0/docs_en: how many requirements of levels 1 and 2 a section of 5.0.0 has. They stand
# before those of level 3; sections without any are left out
LAST_OF_SECTION = {
    **{"1.1": 2, "1.2": 9, "1.3": 11, "1.4": 3, "1.5": 2, "2.1": 3, "2.2": 3, "2.3": 4, "2.4": 1},
    **{"3.2": 2, "3.3": 4, "3.4": 6, "3.5": 5, "3.7": 2, "4.1": 3, "4.2": 1, "4.3": 2, "4.4": 4},
    **{"5.1": 1, "5.2": 3, "5.3": 2, "5.4": 3, "6.1": 3, "6.2": 12, "6.3": 4, "6.4": 4, "6.5": 5, "6.6": 3, "6.8": 4},
    **{"7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 2, "7.6": 2, "8.1": 2, "8.2": 3, "8.3": 1, "8.4": 1},
    **{"9.1": 3, "9.2": 4, "10.1": 2, "10.2": 2, "10.3": 4, "10.4": 11, "10.5": 5, "10.6": 2, "10.7": 3},
    **{"11.1": 2, "11.2": 3, "11.3": 3, "11.4": 4, "11.5": 1, "11.6": 1, "12.1": 3, "12.2": 2, "12.3": 4},
    **{"13.1": 1, "13.2": 5, "13.3": 2, "13.4": 5, "14.1": 2, "14.2": 4, "14.3": 3, "15.1": 3, "15.2": 3, "15.3": 7},
    **{"16.1": 1, "16.2": 5, "16.3": 4, "16.4": 3, "16.5": 3, "17.1": 1, "17.2": 4, "17.3": 2},
}
STANDARD = [f"{section}.{number}" for section, last in LAST_OF_SECTION.items() for number in range(1, last + 1)]
STATES = {"met", "partly", "not met", "yours", "n/a"}
ROWS = re.findall(r"^\| (\d+\.\d+\.\d+[^|]*) \| ([^|]+) \| (.+) \|$", PAGE, re.MULTILINE)
FOLDERS = "milo|billing|projects|tests|deploy|docs|requirements|benchmarks|samples"
FILE = re.compile(rf"`((?:{FOLDERS})/[\w./@-]+|pyproject\.toml)`|\b(docs/[\w/.-]+\.md|SECURITY\.md)\b")
SETTING = re.compile(r"`((?:MILO|DATABASE|CELERY)_[A-Z_]+)`")


def ids(cell: str) -> list[str]:
    """Return the requirements of a cell: `1.2.3`, `1.2.3, 1.2.5`, or `1.2.3-1.2.5`."""
    named = []
    for part in cell.split(", "):
        first, _dash, last = part.partition("-")
        section, number = first.rsplit(".", 1)
        named += [f"{section}.{each}" for each in range(int(number), int((last or first).rsplit(".", 1)[1]) + 1)]
    return named


def test_every_requirement_up_to_level_2_is_answered_once() -> None:
    assert len(STANDARD) == 253
    answered = Counter(requirement for cell, _state, _where in ROWS for requirement in ids(cell))
    assert sorted(answered.elements()) == sorted(STANDARD)


def test_each_requirement_stands_in_its_section() -> None:
    sections = re.split(r"^#### V(\d+\.\d+) .+$", PAGE, flags=re.MULTILINE)[1:]
    assert sections[::2] == list(LAST_OF_SECTION)
    for section, text in zip(sections[::2], sections[1::2], strict=True):
        named = [each for cell in re.findall(r"^\| (\d[^|]*) \|", text, re.MULTILINE) for each in ids(cell)]
        assert {each.rsplit(".", 1)[0] for each in named} == {section}


def test_each_answer_has_a_state_and_says_where_or_why() -> None:
    assert {state for _ids, state, _where in ROWS} <= STATES
    assert [cell for cell, _state, where in ROWS if not where.strip()] == []


def test_what_is_met_is_shown_by_a_file_a_document_or_a_setting() -> None:
    # of these there is nothing that a file could show
    nothing_there = {"3.3.2", "3.4.2", "6.2.5-6.2.8", "6.2.9, 6.2.10", "6.4.2", "7.4.4", "11.1.2", "14.3.3", "16.1.1"}
    shown = {cell for cell, state, where in ROWS if state == "met" and (FILE.search(where) or SETTING.search(where))}
    assert {cell for cell, state, _where in ROWS if state == "met"} - shown == nothing_there


def test_every_file_that_is_named_exists() -> None:
    named = {a or b for a, b in FILE.findall(PAGE)}
    assert len(named) > 90
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


def test_every_setting_that_is_named_exists() -> None:
    named = set(SETTING.findall(PAGE))
    assert len(named) > 10
    assert named - {variable.name for variable in all_variables()} == set()
