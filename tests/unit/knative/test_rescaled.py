"""A Revision's own annotations are how it is scaled, and may change while it serves or sleeps."""

from __future__ import annotations

from pathlib import Path

from rouse.kube.objects import Object
from rouse.kube.resources import DEPLOYMENTS, POD_AUTOSCALERS, REVISIONS
from tests.unit.knative.harness import World, condition, world
from tests.unit.knative.test_engine import DEPLOYMENT, KEY, asleep, ready_service

MIN_SCALE = "autoscaling.knative.dev/min-scale"
RETENTION = "autoscaling.knative.dev/scale-to-zero-pod-retention-period"


async def annotate(w: World, **annotations: str | None) -> None:
    named = {"min": MIN_SCALE, "retention": RETENTION}
    body = {"metadata": {"annotations": {named[name]: v for name, v in annotations.items()}}}
    await w.client.patch(REVISIONS, KEY.name, body, namespace=KEY.namespace)


async def test_a_sleeper_is_woken_kept_and_let_go_without_another_revision(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await ready_service(w)
        await asleep(w)
        before = await w.client.get(DEPLOYMENTS, DEPLOYMENT.name, "default")

        await annotate(w, min="1", retention="600s")
        await w.until(REVISIONS, KEY.name, lambda r: r["status"].get("actualReplicas") == 1)
        [pod] = w.node.pods
        scaler = await w.client.get(POD_AUTOSCALERS, KEY.name, "default")
        assert scaler["metadata"]["annotations"][MIN_SCALE] == "1"

        # The minimum goes; nobody calls; the retention keeps the pod while the revision is idle.
        await annotate(w, min="0")
        await w.live_until(lambda: w.engine.scaler.in_path(KEY), seconds=20)
        await w.until(REVISIONS, KEY.name, lambda r: condition(r, "Active")[0] == "False")
        await w.seconds(120)
        assert list(w.node.pods) == [pod]

        await annotate(w, retention=None)
        await asleep(w)
        after = await w.client.get(DEPLOYMENTS, DEPLOYMENT.name, "default")
        assert after["spec"]["template"] == before["spec"]["template"]
        assert not any(name.startswith("autoscaling") for name in _annotations(after))
        assert len((await w.client.list(REVISIONS, "default")).items) == 1


def _annotations(deployment: Object) -> dict[str, str]:
    template: Object = deployment["spec"]["template"]
    return {**deployment["metadata"]["annotations"], **template["metadata"]["annotations"]}
