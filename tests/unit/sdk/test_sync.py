"""The synchronous client in a program of its own, as the README has it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_PROGRAM = """
from rouse.sdk import Client

client = Client({kubeconfig!r})
print("asked")
"""
_KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: one
contexts: [{name: one, context: {cluster: one, user: one}}]
clusters: [{name: one, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: one, user: {token: secret}}]
"""


def test_a_program_ends_that_does_not_close_its_client(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(_KUBECONFIG)
    ended = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(kubeconfig=str(kubeconfig))],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "ROUSE_HOME": str(tmp_path)},
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "asked\n", "")
