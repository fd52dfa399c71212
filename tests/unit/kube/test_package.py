"""The room's surface, and what importing it costs."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import rouse.kube


def test_everything_named_in_all_is_there() -> None:
    for found in pkgutil.iter_modules(rouse.kube.__path__, "rouse.kube."):
        module = importlib.import_module(found.name)
        for name in module.__all__:
            assert hasattr(module, name), f"{found.name} has no {name}"


def test_importing_it_loads_no_server_no_framework_and_no_yaml() -> None:
    heavy = ["granian", "uvloop", "cryptography", "pydantic", "numpy", "yaml"]
    code = f"import rouse.kube, sys; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.strip() == "[]"
