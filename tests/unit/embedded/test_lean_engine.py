"""What the idle engine's processes do without: their memory is counted."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("rouse.embedded.engine.__main__", {"pydantic", "rouse.compiler.compile", "cryptography"}),
        ("rouse.embedded.apiserver.__main__", {"cryptography", "rouse.compiler.compile", "httpx"}),
    ],
)
def test_what_is_not_imported(module: str, absent: set[str]) -> None:
    code = f"import sys, {module}; print('\\n'.join(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50)
    assert ran.returncode == 0, ran.stderr
    assert absent.isdisjoint(ran.stdout.split())
