"""The suite's own rules: it knows no engine from inside, and every test says what it shows."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.conformance.report import sentence_of

FILES = sorted(Path(__file__).parent.glob("*.py"))


def imports(file: Path) -> set[str]:
    """The modules a file imports, at the top or anywhere else."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_engine_is_imported(file: Path) -> None:
    """No file of the suite imports the embedded engine or what starts one."""
    inside = ("rouse.embedded", "perf.harness", "perf.engine", "rouse.sdk.connection")
    assert not [name for name in imports(file) if name.startswith(inside)]


def test_every_test_says_what_it_shows(request: pytest.FixtureRequest) -> None:
    """Every test has one sentence that says the behaviour."""
    silent = [item.nodeid for item in request.session.items if not sentence_of(item)]
    assert silent == []
