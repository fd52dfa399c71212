"""Manifests and waiting, for the end-to-end tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rouse.errors import GoneError
from rouse.kube.client import KubeClient
from rouse.kube.objects import Object
from rouse.kube.resources import Resource

__all__ = ["isvc", "until"]

ROW = [[5.1, 3.5, 1.4, 0.2]]


def isvc(
    name: str,
    *,
    uri: str = "pvc://models/iris",
    model_format: str = "sklearn",
    namespace: str = "default",
    **predictor: object,
) -> Object:
    """An InferenceService as KServe's users write it."""
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "predictor": {
                "minReplicas": 0,
                "model": {"modelFormat": {"name": model_format}, "storageUri": uri},
                **predictor,
            }
        },
    }


async def until(
    kube: KubeClient,
    resource: Resource,
    holds: Callable[[list[Object]], bool],
    *,
    namespace: str = "default",
    labels: str | None = None,
    timeout_s: float = 60.0,
) -> list[Object]:
    """Watch a collection until it is as wanted; raises TimeoutError with what it was last."""
    known: dict[str, Object] = {}
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                listed = await kube.list(resource, namespace, labels=labels)
                known = {item["metadata"]["name"]: item for item in listed.items}
                if holds([*known.values()]):
                    return [*known.values()]
                try:
                    async for event in kube.watch(
                        resource,
                        namespace,
                        resource_version=listed.resource_version,
                        labels=labels,
                    ):
                        found = event.object["metadata"].get("name", "")
                        if event.type == "DELETED":
                            known.pop(found, None)
                        elif event.type in ("ADDED", "MODIFIED"):
                            known[found] = event.object
                        if holds([*known.values()]):
                            return [*known.values()]
                except GoneError:
                    continue
    except TimeoutError as error:
        raise TimeoutError(
            f"{resource.plural} of {namespace} were still {[*known.values()]}"
        ) from error
