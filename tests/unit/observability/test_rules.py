"""The rules are Prometheus' own language, say what they should of series, and lead to a runbook."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.unit.observability.support import PAGE, RULES, groups_of, rules

PROMTOOL = shutil.which("promtool")
TESTS = sorted(Path(__file__).parent.glob("*.yaml"))

needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="no promtool is installed")


def promtool(folder: Path, *arguments: str) -> str:
    assert PROMTOOL is not None
    for path in RULES:
        (folder / path.name).write_text(yaml.safe_dump(groups_of(path)))
    done = subprocess.run(
        [PROMTOOL, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=50
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_promtool
@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_rules_are_valid(path: Path, tmp_path: Path) -> None:
    assert "SUCCESS" in promtool(tmp_path, "check", "rules", path.name)


@needs_promtool
@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_rules_say_what_they_should(path: Path, tmp_path: Path) -> None:
    shutil.copy(path, tmp_path)
    assert "SUCCESS" in promtool(tmp_path, "test", "rules", path.name)


def test_every_alert_is_tried() -> None:
    """Each fires in one of promtool's tests, with all of its text."""
    fired = {
        each["alertname"]
        for path in TESTS
        for case in yaml.safe_load(path.read_text())["tests"]
        for each in case.get("alert_rule_test", ())
        if each["exp_alerts"]
    }
    assert {rule["alert"] for rule in rules() if "alert" in rule} == fired


def anchors() -> set[str]:
    """The page's headings as the addresses that GitHub gives them."""
    headings = re.findall(r"^#+ (.+)$", PAGE.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


def test_every_alert_leads_to_its_runbook() -> None:
    there = anchors()
    alerts = [rule for rule in rules() if "alert" in rule]
    assert len(alerts) > 15
    for rule in alerts:
        notes = rule["annotations"]
        assert notes.keys() == {"summary", "description", "runbook"}, rule["alert"]
        page, _, anchor = notes["runbook"].partition("#")
        assert (page, anchor) == ("docs/observability.md", rule["alert"].lower())
        assert anchor in there, f"no heading {rule['alert']} in {PAGE}"
        assert rule["labels"]["severity"] in ("critical", "warning")


def test_names_are_used_once() -> None:
    names = [rule.get("alert") or rule["record"] for rule in rules()]
    assert len(names) == len(set(names))
