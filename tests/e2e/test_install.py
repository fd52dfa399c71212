"""`rouse install`, `doctor` and `uninstall` on a running engine, and kubectl with the same files.

What needs a real cluster (Deployments that pull images, webhooks that are called) only has to be
there: the engine runs its controllers and checks its objects itself.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from perf.harness import Engine
from perf.harness import engine as running_engine
from rouse.manifests import manifests_dir
from tests.e2e.support import isvc

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Engine]:
    """An engine of this module's own: what is installed here is in nobody's way."""
    with running_engine() as up:
        yield up


def kinds(engine: Engine, kind: str, *args: str) -> list[str]:
    listed = json.loads(engine.rouse("get", kind, "-o", "json", *args).stdout)
    return [each["metadata"]["name"] for each in listed["items"]]


def test_a_dry_run_asks_the_api_and_changes_nothing(cluster: Engine) -> None:
    ran = cluster.rouse("install", "--dry-run", "--overlay", "gpu")
    assert "Deployment rouse-system/rouse-controller created" in ran.stdout
    assert ran.stdout.endswith("nothing was changed (dry run)\n")
    assert kinds(cluster, "deployments", "-n", "rouse-system") == []


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl is installed")
@pytest.mark.parametrize("overlay", ["minimal", "production", "gpu", "observability"])
def test_kubectl_takes_the_overlays(cluster: Engine, overlay: str, tmp_path: Path) -> None:
    rendered = cluster.kubectl("kustomize", str(manifests_dir() / "overlays" / overlay)).stdout
    # Kinds of Prometheus' operator, which neither this engine nor every cluster has.
    known = [text for text in rendered.split("\n---\n") if "monitoring.coreos.com/" not in text]
    file = tmp_path / "all.yaml"
    file.write_text("\n---\n".join(known))
    options = ["--server-side", "--force-conflicts", "--dry-run=server"]
    told = cluster.kubectl("apply", *options, "-f", str(file)).stdout
    assert "deployment.apps/rouse-webhook serverside-applied (server dry run)" in told
    assert "clusterrole.rbac.authorization.k8s.io/rouse-controller" in told


def test_install_twice_doctor_and_uninstall(cluster: Engine, tmp_path: Path) -> None:
    manifest = tmp_path / "isvc.yaml"
    manifest.write_text(json.dumps(isvc("kept")))
    cluster.rouse("apply", "-f", str(manifest))

    first = cluster.rouse("install", "--no-wait").stdout
    assert "MutatingWebhookConfiguration rouse-webhook created" in first
    assert first.endswith("Rouse is installed\n")
    assert kinds(cluster, "deployments", "-n", "rouse-system") == [
        "rouse-controller",
        "rouse-webhook",
    ]
    second = cluster.rouse("install", "--no-wait").stdout
    done = {line.partition(" (")[0].rpartition(" ")[2] for line in second.splitlines()[:-1]}
    assert done <= {"unchanged", "kept"}

    doctor = cluster.rouse("doctor", check=False)
    assert doctor.returncode == 1
    # Nobody runs these images here, so that nobody made a certificate.
    assert "Deployment rouse-controller" in doctor.stdout
    assert "kubectl rollout restart deployment rouse-webhook -n rouse-system" in doctor.stdout

    late = cluster.rouse("install", "--timeout", "0", check=False)
    assert late.returncode == 1
    assert "not ready in time" in late.stderr

    gone = cluster.rouse("uninstall").stdout
    assert "Deployment rouse-system/rouse-webhook deleted" in gone
    assert kinds(cluster, "deployments", "-n", "rouse-system") == []
    assert kinds(cluster, "isvc") == ["kept"]
    again = cluster.rouse("uninstall", check=False)
    assert again.returncode == 1
    assert "rouse-inventory" in again.stderr


def test_output_and_images(cluster: Engine) -> None:
    text = cluster.rouse("install", "-o", "yaml", "--set-image", "controller=mirror/c:1").stdout
    assert "image: mirror/c:1" in text
    images = cluster.rouse("install", "--images").stdout.splitlines()
    assert "ghcr.io/rouse/controller:v0.1.0" in images
    wrong = cluster.rouse("install", "--overlay", "none", "-o", "yaml", check=False)
    assert wrong.returncode == 1
    assert "there is no overlay" in wrong.stderr
