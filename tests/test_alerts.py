"""Alerts, runbooks and dashboards name what there is: each metric is documented, each alert has its runbook."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from milo import health  # noqa: F401  declares the metrics
from milo.metrics.declared import all_declared

pytestmark = pytest.mark.once
ROOT: Path = settings.BASE_DIR
ALERTS = ROOT / "deploy/prometheus/alerts.yml"
TESTS = ROOT / "deploy/prometheus/alerts.test.yml"
RUNBOOKS = ROOT / "docs/runbooks"
DASHBOARDS = sorted((ROOT / "deploy/grafana").glob("*.json"))
# those of Prometheus' histograms
SUFFIXES = {"counter": [""], "gauge": [""], "histogram": ["_bucket", "_sum", "_count", "_gsum", "_gcount"]}


def alerts() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def series() -> dict[str, tuple[str, ...]]:
    """Return the labels of each series that a scrape may have, by its name."""
    return {f"{each.name}{suffix}": each.labels for each in all_declared() for suffix in SUFFIXES[each.type]}


def expressions() -> Iterator[tuple[str, str]]:
    """Yield the place and the text of each expression of PromQL."""
    for rule in alerts():
        yield rule["alert"], rule["expr"]
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", []):
                yield f"{path.name}: {panel['title']}", target["expr"]


def test_every_metric_that_is_named_exists_with_its_labels() -> None:
    known, missing, named = series(), [], set()
    for place, expression in expressions():
        for name, matchers in re.findall(r"\b(milo_\w+)(?:\{([^}]*)\})?", expression):
            named.add(name)
            labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)) - {"job", "instance", "le"}
            if name not in known or not labels <= set(known[name]):
                missing.append((place, name, labels))
    assert missing == []
    assert len(named) > 25


def test_what_is_grouped_by_is_a_label() -> None:
    labels = {label for each in all_declared() for label in each.labels} | {"job", "instance", "le"}
    grouped = {
        name.strip()
        for _place, expression in expressions()
        for listed in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression)
        for name in listed.split(",")
    }
    assert grouped <= labels


def test_each_alert_has_its_runbook_and_each_runbook_its_alert() -> None:
    named = [rule["alert"] for rule in alerts()]
    assert len(named) == len(set(named))
    assert sorted(named) == sorted(path.stem for path in RUNBOOKS.glob("Milo*.md"))
    assert {rule["annotations"]["runbook"] for rule in alerts()} == {f"docs/runbooks/{name}.md" for name in named}
    listed = re.findall(r"\]\((\w+)\.md\)", (ROOT / "docs/runbooks/index.md").read_text())
    assert sorted(listed) == sorted(named)


@pytest.mark.parametrize("name", [rule["alert"] for rule in alerts()])
def test_a_runbook_says_how_to_detect_mitigate_diagnose_and_undo_and_what_was_seen(name: str) -> None:
    text = (RUNBOOKS / f"{name}.md").read_text()
    assert text.startswith(f"# {name}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Detect", "Mitigate", "Diagnose", "Undo"]
    assert text.splitlines()[-1].startswith("Tried: ")


def test_each_alert_is_tested_for_quiet_and_for_fire() -> None:
    cases = [case for test in yaml.safe_load(TESTS.read_text())["tests"] for case in test["alert_rule_test"]]
    quiet = {case["alertname"] for case in cases if not case.get("exp_alerts")}
    fire = {case["alertname"] for case in cases if case.get("exp_alerts")}
    assert quiet == fire == {rule["alert"] for rule in alerts()}


def test_each_alert_says_who_is_woken() -> None:
    for rule in alerts():
        assert rule["labels"]["severity"] in ("page", "ticket"), rule["alert"]
        assert rule["annotations"]["summary"]


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not on the PATH; .ci/run fetches it")
@pytest.mark.parametrize(("command", "file"), [("check", ALERTS), ("test", TESTS)], ids=["check", "test"])
def test_the_rules_do_what_their_tests_say(command: str, file: Path) -> None:
    done = subprocess.run(["promtool", command, "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_a_dashboard_has_panels_that_do_not_overlap(path: Path) -> None:
    board = json.loads(path.read_text())
    assert board["uid"] == path.stem
    taken: set[tuple[int, int]] = set()
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _y in cells) < 24
        taken |= cells


def test_there_is_a_dashboard_for_operators_and_one_for_the_ledger() -> None:
    assert [path.stem for path in DASHBOARDS] == ["milo-ledger", "milo-operators"]
