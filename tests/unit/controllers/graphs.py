"""The controller of InferenceGraphs on the real API's core, with Knative played by the test."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from rouse.controllers.inferencegraph import Reconciler, Sources
from rouse.kube import Informer, Key, Requeue
from rouse.kube.objects import Object
from rouse.kube.resources import INFERENCE_GRAPHS, INFERENCE_SERVICES, KNATIVE_SERVICES
from tests.unit.controllers.harness import NOW, Harness

GRAPH = Key("default", "flow")


def graph(*called: str, name: str = GRAPH.name, annotations: Any = None, **spec: Any) -> Object:
    """A Sequence of InferenceServices, as users write it."""
    steps = [{"serviceName": each} for each in called or ("iris",)]
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "InferenceGraph",
        "metadata": {
            "name": name,
            "namespace": GRAPH.namespace,
            **({"annotations": annotations} if annotations else {}),
        },
        "spec": {"nodes": {"root": {"routerType": "Sequence", "steps": steps}}, **spec},
    }


class GraphHarness(Harness):
    """One InferenceGraph's world."""

    key = GRAPH

    def further(self) -> tuple[Informer, ...]:
        self.graphs = Sources.of(self.client, self.sources.services, self.sources.policies)
        return self.graphs.own()

    def _reconciler(self) -> Callable[[Key], Awaitable[Requeue | None]]:
        return Reconciler(
            self.client,
            self.graphs,
            lambda: self.settings.config,
            self.recorder,
            clock=lambda: NOW,
        )

    async def status(self) -> Object:
        found: Object = (await self.get(INFERENCE_GRAPHS, GRAPH.name)).get("status") or {}
        return found

    async def conditions(self) -> dict[str, str]:
        conditions = (await self.status()).get("conditions") or ()
        return {one["type"]: one["status"] for one in conditions}

    async def condition(self, type_: str) -> Object:
        conditions = (await self.status())["conditions"]
        found: Object = next(one for one in conditions if one["type"] == type_)
        return found

    async def serve(
        self, name: str, *, ready: bool = True, address: bool = True, reason: str = ""
    ) -> None:
        """Let an InferenceService be there as its controller leaves it."""
        model = {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://models/iris"}
        live = await self.apply(
            {
                "apiVersion": "serving.kserve.io/v1beta1",
                "kind": "InferenceService",
                "metadata": {"name": name, "namespace": GRAPH.namespace},
                "spec": {"predictor": {"model": model}},
            }
        )
        condition = {"type": "Ready", "status": "True" if ready else "False"}
        if reason:
            condition["reason"] = reason
        status: Object = {"conditions": [condition]}
        if address:
            status["address"] = {"url": f"http://{name}.default.svc.cluster.local"}
        await self._write_status(live, status)

    async def unserve(self, name: str) -> None:
        """Delete an InferenceService."""
        await self.user.delete(INFERENCE_SERVICES, name, GRAPH.namespace)

    async def roll_out(self, revision: str = "flow-00001") -> None:
        """Let Knative have made a revision, and lead all requests to it."""
        await self.knative(revision)
        live = await self.get(KNATIVE_SERVICES, GRAPH.name)
        traffic = [{"revisionName": revision, "percent": 100, "latestRevision": True}]
        await self._write_status(live, {**live["status"], "traffic": traffic})
