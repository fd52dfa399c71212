"""Starts an embedded engine in a temporary home, runs tests/conformance on it, and stops it.

The tests are told an API, an ingress and where the models are, as on any cluster. What is special
is prepared here: claims that hold the models (a claim is a folder), a local command for the helper
image, and autoscaler windows so short that nobody waits a minute to see a model fall asleep.
"""

from __future__ import annotations

import secrets
import subprocess
import sys
from pathlib import Path

from perf.harness import REPOSITORY, SHORT_WINDOWS, Engine, engine
from tests.conformance.models import make_models

HELPER = "example.com/conformance-helper:1"


def prepare(target: Engine, namespaces: list[str]) -> None:
    """Put the models into a claim of each namespace, and name a command for the helper image."""
    for namespace in namespaces:
        make_models(target.home.volumes / namespace / "models")
    images = target.home.root / "images.yaml"
    images.write_text(
        "images:\n  example.com/conformance-helper:\n    command: ['{python}']\n", encoding="utf-8"
    )


def main(arguments: list[str]) -> int:
    """Return pytest's exit status."""
    with engine(windows=SHORT_WINDOWS) as up:
        namespace = f"rouse-conformance-{secrets.token_hex(4)}"
        prepare(up, [namespace, f"{namespace}-b"])
        pytest = [sys.executable, "-m", "pytest", "tests/conformance", "--conformance"]
        told = [
            "--embedded",
            f"--kubeconfig={up.home.kubeconfig}",
            f"--ingress=127.0.0.1:{up.gateway_port}",
            f"--namespace={namespace}",
            "--model-uri=pvc://models",
            f"--helper-image={HELPER}",
        ]
        return subprocess.run(
            [*pytest, *told, *arguments], cwd=Path(REPOSITORY), env=up.environ, check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
