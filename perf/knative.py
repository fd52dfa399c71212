"""Knative Serving as far as a controller sees it: revisions and readiness, but no replica.

A benchmark of the controllers is no benchmark of replicas: what this writes is what Knative would
write once a model answers, at once.
"""

from __future__ import annotations

import hashlib
from types import TracebackType
from typing import Final, Self

import orjson

from rouse.errors import ApiError
from rouse.kube import Controller, Informer, InformerOptions, Key, KubeClient, owner_reference
from rouse.kube.objects import Object
from rouse.kube.resources import KNATIVE_SERVICES, REVISIONS

__all__ = ["Knative"]

_TRUE: Final = {"status": "True", "lastTransitionTime": "2024-05-01T12:00:00Z"}
_DIGEST: Final = "perf.rouse.dev/template"


class Knative:
    """Answers every new template of a Knative Service with a ready revision."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._services = Informer(client, KNATIVE_SERVICES, options=InformerOptions(packed=True))
        self._controller = Controller("knative", self._reconcile, workers=8)
        self._services.add_handler(self._controller.on_event)

    async def __aenter__(self) -> Self:
        await self._services.start()
        await self._services.synced()
        await self._controller.start()
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self._controller.stop()
        await self._services.stop()

    async def _reconcile(self, key: Key) -> None:
        live = self._services.get(key)
        if live is None:
            return
        status = live.get("status") or {}
        if status.get("observedGeneration") == live["metadata"]["generation"]:
            return
        digest = hashlib.sha256(orjson.dumps(live["spec"]["template"])).hexdigest()
        latest = status.get("latestReadyRevisionName", "")
        if (status.get("annotations") or {}).get(_DIGEST) != digest:
            number = int(latest.rpartition("-")[2] or 0) + 1
            latest = f"{key.name}-{number:05}"
            await self._make(live, latest)
        status = {
            "annotations": {_DIGEST: digest},
            "observedGeneration": live["metadata"]["generation"],
            "latestCreatedRevisionName": latest,
            "latestReadyRevisionName": latest,
            "conditions": [
                {"type": type_, **_TRUE}
                for type_ in ("ConfigurationsReady", "Ready", "RoutesReady")
            ],
        }
        await self._client.replace({**live, "status": status}, subresource="status")

    async def _make(self, live: Object, name: str) -> None:
        template = live["spec"]["template"]
        revision = {
            "apiVersion": REVISIONS.api_version,
            "kind": REVISIONS.kind,
            "metadata": {
                "name": name,
                "namespace": live["metadata"]["namespace"],
                "labels": {
                    **template["metadata"]["labels"],
                    "serving.knative.dev/service": live["metadata"]["name"],
                },
                "annotations": template["metadata"]["annotations"],
                "ownerReferences": [owner_reference(live)],
            },
            "spec": template["spec"],
        }
        try:
            made = await self._client.create(revision)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
            made = await self._client.get(REVISIONS, name, live["metadata"]["namespace"])
        status = {"conditions": [{"type": "Ready", **_TRUE}]}
        await self._client.replace({**made, "status": status}, subresource="status")
