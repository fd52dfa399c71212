"""A cluster in memory for the tests of this folder: its API, and what an installation put there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import yaml

from rouse.embedded.apiserver.memory import memory_api
from rouse.embedded.apiserver.transport import ApiServerTransport
from rouse.kube import KubeClient
from rouse.kube.objects import Key, Object
from rouse.kube.requests import ApiRequest
from rouse.webhook.certificates.configurations import MUTATING, VALIDATING
from rouse.webhook.certificates.own import Place

SECRET = Key("rouse-system", "rouse-webhook-certs")
PLACE = Place(SECRET, Key("rouse-system", "rouse-webhook"), "rouse-webhook")
MANIFESTS = Path(__file__).parents[3] / "manifests" / "base" / "webhook"


def manifest(name: str) -> Object:
    """One of the installation's own manifests of the webhook."""
    read: Object = yaml.safe_load((MANIFESTS / f"{name}.yaml").read_text())
    return read


@asynccontextmanager
async def installed() -> AsyncIterator[tuple[KubeClient, Callable[[], KubeClient]]]:
    """An API with the webhook configurations; a client, and a way to more of them.

    It refuses nothing, as one whose webhooks do not answer.
    """
    async with memory_api(admission=()) as (server, http):

        def another() -> KubeClient:
            transport = ApiServerTransport(server)
            return KubeClient(httpx.AsyncClient(transport=transport, base_url="https://rouse.test"))

        client = KubeClient(http, field_manager="user")
        for name in ("validating", "mutating"):
            await client.send(_create(manifest(name)))
        yield client, another


def _create(obj: Object) -> ApiRequest:
    resource = VALIDATING if obj["kind"] == VALIDATING.kind else MUTATING
    return ApiRequest("POST", resource.path(), content=orjson.dumps(obj))


def review(
    obj: Object | None,
    *,
    operation: str = "CREATE",
    old: Object | None = None,
    resource: str = "inferenceservices",
    **request: Any,
) -> Object:
    """An AdmissionReview as an API server sends it."""
    group, _, version = (obj or old or {})["apiVersion"].rpartition("/")
    named = obj or old or {}
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": group, "version": version, "kind": named["kind"]},
            "resource": {"group": group, "version": version, "resource": resource},
            "operation": operation,
            "name": named["metadata"].get("name", ""),
            "namespace": named["metadata"].get("namespace", "default"),
            "userInfo": {"username": "admin"},
            "object": obj,
            "oldObject": old,
            "dryRun": False,
            "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"},
            **request,
        },
    }


def isvc(name: str = "iris", **predictor: Any) -> Object:
    """An InferenceService."""
    model = {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://models/iris"}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"predictor": predictor or {"model": model}},
    }


def pod(annotations: dict[str, str] | None = None, **spec: Any) -> Object:
    """A pod as a ReplicaSet makes it: a prefix of a name, no namespace."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": "iris-predictor-",
            "labels": {"serving.kserve.io/inferenceservice": "iris"},
            "annotations": annotations or {},
        },
        "spec": {"containers": [{"name": "kserve-container", "image": "x"}], **spec},
    }
