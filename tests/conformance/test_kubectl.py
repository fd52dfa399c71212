"""kubectl on the kinds, for every kubectl at hand ($ROUSE_TEST_KUBECTLS lists more of them)."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from rouse.kube.objects import Object
from rouse.kube.resources import DEPLOYMENTS
from tests.conformance.cluster import Cluster

BINARIES = [
    *filter(None, [shutil.which("kubectl")]),
    *filter(None, os.environ.get("ROUSE_TEST_KUBECTLS", "").split(os.pathsep)),
]
pytestmark = pytest.mark.skipif(not BINARIES, reason="no kubectl is installed here")


@pytest.fixture(params=BINARIES or ["kubectl"])
def binary(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def run(
    cluster: Cluster, binary: str, *args: str, given: str = "", fails: bool = False
) -> str:
    """What kubectl printed; its errors where it is meant to fail."""
    config = cluster.options.kubeconfig
    command = [binary, *(["--kubeconfig", str(config)] if config else [])]
    done = await asyncio.to_thread(
        subprocess.run,
        [*command, "--namespace", cluster.namespace, *args],
        input=given,
        capture_output=True,
        text=True,
        timeout=cluster.seconds(120),
        check=False,
    )
    assert bool(done.returncode) is fails, done.stdout + done.stderr
    return done.stderr if fails else done.stdout


async def test_the_life_of_a_service(cluster: Cluster, binary: str, name: str) -> None:
    """apply, wait, get, label, patch, apply again and delete do what they do for any kind."""
    text = yaml.safe_dump(cluster.isvc(name))
    seconds = f"--timeout={cluster.seconds(90):.0f}s"
    assert "created" in await run(cluster, binary, "apply", "-f", "-", given=text)
    await run(cluster, binary, "wait", "--for=condition=Ready", f"isvc/{name}", seconds)
    head, row = (await run(cluster, binary, "get", "isvc", name)).splitlines()
    assert head.split()[:5] == ["NAME", "URL", "READY", "PREV", "LATEST"]
    assert "True" in row
    await run(cluster, binary, "label", f"isvc/{name}", "team=flowers")
    assert name in await run(cluster, binary, "get", "isvc", "-l", "team=flowers", "-o", "name")
    patch = '{"spec": {"predictor": {"maxReplicas": 2}}}'
    await run(cluster, binary, "patch", "isvc", name, "--type=merge", "-p", patch)
    assert "maxReplicas: 2" in await run(cluster, binary, "get", "isvc", name, "-o", "yaml")
    assert "Events:" in await run(cluster, binary, "describe", "isvc", name)
    assert "deleted" in await run(cluster, binary, "delete", "isvc", name, seconds)


async def test_apply_again(cluster: Cluster, binary: str, name: str) -> None:
    """Applying the same file again changes nothing."""
    text = yaml.safe_dump(cluster.isvc(name))
    await run(cluster, binary, "apply", "-f", "-", given=text)
    assert "unchanged" in await run(cluster, binary, "apply", "-f", "-", given=text)


async def test_explain(cluster: Cluster, binary: str) -> None:
    """kubectl explain has a sentence for a field of the kind."""
    field = "inferenceservice.spec.predictor.canaryTrafficPercent"
    told = await run(cluster, binary, "explain", field)
    assert "canaryTrafficPercent" in told
    assert "DESCRIPTION" in told


async def test_refused(cluster: Cluster, binary: str, name: str, tmp_path: Path) -> None:
    """A typo is refused by name, and nothing is made."""
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(yaml.safe_dump(cluster.isvc(name, minReplica=1)), encoding="utf-8")
    told = await run(cluster, binary, "apply", "-f", str(wrong), fails=True)
    assert "minReplica" in told
    await run(cluster, binary, "get", "isvc", name, fails=True)


async def test_dry_run(cluster: Cluster, binary: str, name: str) -> None:
    """A dry run on the server checks and stores nothing."""
    text = yaml.safe_dump(cluster.isvc(name))
    await run(cluster, binary, "apply", "--dry-run=server", "-f", "-", given=text)
    await run(cluster, binary, "get", "isvc", name, fails=True)


async def test_columns_of_knatives_kinds(cluster: Cluster, binary: str, iris: Object) -> None:
    """The objects a service is made of have Knative's own columns."""
    shown = await run(cluster, binary, "get", "ksvc", f"{iris['metadata']['name']}-predictor")
    for column in ("URL", "LATESTCREATED", "LATESTREADY", "READY"):
        assert column in shown


async def test_scale(cluster: Cluster, binary: str, name: str) -> None:
    """kubectl scale sets the replicas of a Deployment that nobody else scales, for the moment."""
    annotations = {
        "serving.kserve.io/deploymentMode": "Standard",
        "serving.kserve.io/autoscalerClass": "external",
    }
    await cluster.apply(cluster.isvc(name, annotations=annotations))
    await cluster.ready(name)
    await run(cluster, binary, "scale", f"deployment/{name}-predictor", "--replicas=2")
    await cluster.until_one(
        DEPLOYMENTS,
        f"{name}-predictor",
        lambda found: found.get("status", {}).get("readyReplicas") == 2,
    )
