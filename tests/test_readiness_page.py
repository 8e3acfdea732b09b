"""docs/production-readiness.md: every question is answered, and the answers name what there is."""

import re
from pathlib import Path

import pytest

from milo.settings.environment import all_variables

pytestmark = pytest.mark.once
ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs/production-readiness.md").read_text()
QUESTIONS = 51
ROWS = re.findall(r"^\| (\d+) \| ([^|]+) \| (yes|partly|no) \| (.+) \|$", PAGE, re.MULTILINE)
FOLDERS = "milo|billing|projects|tests|deploy|docs|requirements|benchmarks|soak|samples"
FILE = re.compile(rf"`((?:{FOLDERS})/[\w./@-]+|CHANGELOG\.md)`|\b(docs/[\w/.-]+\.md)\b")
SETTING = re.compile(r"`((?:MILO|DATABASE|CELERY)_[A-Z_]+)`")
METRIC = re.compile(r"`(milo_[a-z_]+)`")
# a section below has what an answer refers to
BELOW = re.compile(r"[Bb]elow(?:, \"([\w ]+)\")?")


def test_every_question_is_answered_once_and_in_order() -> None:
    assert [int(number) for number, *_rest in ROWS] == list(range(1, QUESTIONS + 1))
    assert len({question for _number, question, *_rest in ROWS}) == QUESTIONS


def test_each_answer_leads_somewhere() -> None:
    leading = {n for n, _q, _state, answer in ROWS if any(p.search(answer) for p in (FILE, SETTING, METRIC, BELOW))}
    assert {number for number, *_rest in ROWS} - leading == set()
    named = {heading for _n, _q, _state, answer in ROWS for heading in BELOW.findall(answer) if heading}
    assert named
    assert named <= set(re.findall(r"^## (.+)$", PAGE, re.MULTILINE))


def test_every_file_that_is_named_exists() -> None:
    named = {a or b for a, b in FILE.findall(PAGE)}
    assert len(named) > 40
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


def test_every_setting_and_every_metric_that_is_named_exists() -> None:
    assert set(SETTING.findall(PAGE)) - {variable.name for variable in all_variables()} == set()
    metrics = set(METRIC.findall((ROOT / "docs/metrics.md").read_text()))
    assert len(set(METRIC.findall(PAGE))) > 15
    assert set(METRIC.findall(PAGE)) - metrics == set()
