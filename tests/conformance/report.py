"""A table of what was shown: one line per behaviour, with the seconds it took."""

from __future__ import annotations

import json
import platform
from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

__all__ = ["Report", "about_machine", "sentence_of"]

_MARKS = {"passed": "yes", "failed": "**no**", "skipped": "not here"}


@dataclass
class Result:
    """One test."""

    area: str
    test: str
    behaviour: str
    outcome: str = "passed"
    seconds: float = 0.0
    why: str = ""


def sentence_of(item: pytest.Item) -> str:
    """The behaviour a test shows, in its own words."""
    function = getattr(item, "function", None)
    return " ".join((getattr(function, "__doc__", "") or "").split())


class Report:
    """A pytest plugin that writes FILE.json, or FILE with a markdown table."""

    def __init__(self, file: Path, about: Mapping[str, str]) -> None:
        self._file = file
        self._about = {**about, "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"}
        self._results: dict[str, Result] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Take one phase of a test in: set-up, the call, or what follows it."""
        told: pytest.TestReport = yield
        area = item.path.stem.removeprefix("test_")
        result = self._results.setdefault(item.nodeid, Result(area, item.name, sentence_of(item)))
        result.seconds = round(result.seconds + told.duration, 2)
        if told.outcome != "passed":
            result.outcome = told.outcome
            result.why = _why(told)
        return told

    def pytest_sessionfinish(self) -> None:
        """Write the file."""
        results = [*self._results.values()]
        self._file.parent.mkdir(parents=True, exist_ok=True)
        if self._file.suffix == ".json":
            content = {"about": self._about, "results": [asdict(one) for one in results]}
            self._file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        else:
            self._file.write_text(_markdown(self._about, results), encoding="utf-8")


def about_machine() -> str:
    """The machine the suite itself ran on."""
    return f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"


def _why(told: pytest.TestReport) -> str:
    if isinstance(told.longrepr, tuple):
        return str(told.longrepr[2]).removeprefix("Skipped: ")
    crash = getattr(told.longrepr, "reprcrash", None)
    return str(crash.message if crash else told.longrepr or "").splitlines()[0][:300]


def _markdown(about: Mapping[str, str], results: list[Result]) -> str:
    counts = {kind: sum(one.outcome == kind for one in results) for kind in _MARKS}
    lines = ["# Conformance", ""]
    lines += [f"- {key}: {value}" for key, value in about.items()]
    lines += [
        f"- shown {counts['passed']}, failed {counts['failed']}, not here {counts['skipped']}",
        "",
        "| Area | Behaviour | Shown | Seconds |",
        "| --- | --- | --- | ---: |",
    ]
    for one in results:
        case = f" ({one.test.partition('[')[2]}" if "[" in one.test else ""
        case = f"{case.rstrip(']')})" if case else ""
        shown = _MARKS[one.outcome] + (f": {one.why}" if one.why else "")
        cells = (one.area, f"{one.behaviour}{case}", shown, f"{one.seconds:.2f}")
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"
