"""kubectl against the embedded API, for every kubectl that is at hand.

$ROUSE_TEST_KUBECTLS may list more binaries (separated by ``:``), to try several versions.
"""

from __future__ import annotations

import os
import shutil

import pytest

from perf.harness import IRIS, Engine

BINARIES = [
    *filter(None, [shutil.which("kubectl")]),
    *filter(None, os.environ.get("ROUSE_TEST_KUBECTLS", "").split(os.pathsep)),
]

pytestmark = pytest.mark.skipif(not BINARIES, reason="no kubectl is installed")


@pytest.fixture(params=BINARIES or ["kubectl"], scope="module")
def binary(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def deployed(engine: Engine, binary: str) -> str:
    def kubectl(*args: str) -> str:
        return engine.command([binary, *args], check=True).stdout

    kubectl("apply", "-f", str(IRIS / "isvc.yaml"))
    kubectl("wait", "--for=condition=Ready", "isvc/iris", "--timeout=60s")
    return binary


def run(engine: Engine, binary: str, *args: str) -> str:
    return engine.command([binary, *args], check=True).stdout


def test_apply_again_changes_nothing(engine: Engine, deployed: str) -> None:
    assert "unchanged" in run(engine, deployed, "apply", "-f", str(IRIS / "isvc.yaml"))


def test_get_shows_kserves_columns(engine: Engine, deployed: str) -> None:
    head, row = run(engine, deployed, "get", "isvc", "iris").splitlines()
    for column in ("NAME", "URL", "READY", "PREV", "LATEST", "LATESTREADYREVISION", "AGE"):
        assert column in head.split()
    assert "iris-predictor-0000" in row
    assert "http://iris.default.localhost" in row


@pytest.mark.parametrize(
    ("kind", "column"),
    [
        ("ksvc", "LATESTREADY"),
        ("revisions", "CONFIG NAME"),
        ("virtualservices", "HOSTS"),
        ("pods", "STATUS"),
        ("svc", "EXTERNAL-IP"),
        ("deployments", "UP-TO-DATE"),
        ("events", "REASON"),
        ("nodes", "VERSION"),
    ],
)
def test_get_other_kinds(engine: Engine, deployed: str, kind: str, column: str) -> None:
    assert column in run(engine, deployed, "get", kind)


def test_describe_shows_conditions_and_events(engine: Engine, deployed: str) -> None:
    shown = run(engine, deployed, "describe", "isvc", "iris")
    assert "Predictor Ready" in shown or "PredictorReady" in shown
    assert "Events:" in shown
    assert "<none>" not in shown.split("Events:")[1]


def test_logs(engine: Engine, deployed: str) -> None:
    run(engine, deployed, "get", "pods")
    engine.rouse("predict", "iris", "-d", "[[5.1, 3.5, 1.4, 0.2]]")
    selector = "serving.kserve.io/inferenceservice=iris"
    assert run(engine, deployed, "logs", "-l", selector).strip()


def test_an_unknown_field_is_refused(engine: Engine, deployed: str) -> None:
    text = (IRIS / "isvc.yaml").read_text().replace("minReplicas", "minReplica")
    wrong = engine.home.root / "wrong.yaml"
    wrong.write_text(text)
    refused = engine.command([deployed, "apply", "-f", str(wrong)], check=False)
    assert refused.returncode != 0
    assert "minReplica" in refused.stderr


def test_server_side_apply_patch_label_and_delete(engine: Engine, deployed: str) -> None:
    run(engine, deployed, "label", "isvc/iris", "team=flowers")
    run(engine, deployed, "annotate", "isvc/iris", "note=hello")
    assert "flowers" in run(engine, deployed, "get", "isvc", "-l", "team=flowers", "-o", "yaml")
    patch = '{"metadata": {"annotations": {"note": null}}}'
    run(engine, deployed, "patch", "isvc", "iris", "--type=merge", "-p", patch)
    assert "hello" not in run(engine, deployed, "get", "isvc", "iris", "-o", "yaml")
    manifest = str(IRIS / "isvc.yaml")
    run(engine, deployed, "apply", "--server-side", "--force-conflicts", "-f", manifest)
    assert "iris" in run(engine, deployed, "delete", "-f", manifest)
    left = run(engine, deployed, "get", "isvc", "-o", "name").splitlines()
    assert "inferenceservice.serving.kserve.io/iris" not in left
