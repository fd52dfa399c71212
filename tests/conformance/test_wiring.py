"""What a service is wired to: payload logs, batches, secrets of model stores, several models."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from rouse.kube.objects import Object
from rouse.kube.resources import PODS, SECRETS
from tests.conformance.cluster import Cluster

KEY = "a-key-nobody-may-see"


def variables(container: Object) -> dict[str, str]:
    return {one["name"]: one.get("value", "") for one in container.get("env") or ()}


async def test_logger(cluster: Cluster, name: str) -> None:
    """Rouse's own model server is told by variables where payload logs go, and what goes there."""
    logger = {"mode": "request", "url": "http://sink.example.com", "metadataHeaders": ["x-team"]}
    await cluster.apply(cluster.isvc(name, logger=logger))
    told = variables((await cluster.template(name))["spec"]["containers"][0])
    assert told["ROUSE_LOGGER_MODE"] == "request"
    assert told["ROUSE_LOGGER_URL"] == "http://sink.example.com"
    assert told["ROUSE_LOGGER_METADATA_HEADERS"] == "x-team"
    assert told["ROUSE_LOGGER_SERVICE"] == name
    assert told["ROUSE_LOGGER_NAMESPACE"] == cluster.namespace


async def test_logger_of_other_servers(cluster: Cluster, name: str) -> None:
    """Other servers get KServe's agent, asked for by KServe's annotations."""
    fields = {"modelFormat": {"name": "tensorflow", "version": "2"}}
    logger = {"mode": "all", "url": "http://sink.example.com"}
    await cluster.apply(cluster.isvc(name, model_fields=fields, logger=logger))
    annotations = (await cluster.template(name))["metadata"]["annotations"]
    prefix = "internal.serving.kserve.io/logger"
    assert annotations[prefix] == "true"
    assert annotations[f"{prefix}-mode"] == "all"
    assert annotations[f"{prefix}-sink-url"] == "http://sink.example.com"


async def test_batcher(cluster: Cluster, name: str) -> None:
    """A batcher's size and patience reach Rouse's own model server."""
    batcher = {"maxBatchSize": 8, "maxLatency": 50}
    await cluster.apply(cluster.isvc(name, batcher=batcher))
    told = variables((await cluster.template(name))["spec"]["containers"][0])
    assert told["ROUSE_BATCH_MAX_SIZE"] == "8"
    assert told["ROUSE_BATCH_MAX_LATENCY_MS"] == "50"


@pytest_asyncio.fixture(loop_scope="session")
async def secret(cluster: Cluster, name: str) -> AsyncIterator[str]:
    """A Secret with keys of an S3 store."""
    made = f"{name}-keys"
    await cluster.kube.create(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": made,
                "namespace": cluster.namespace,
                "annotations": {"serving.kserve.io/s3-endpoint": "minio.example.com:9000"},
            },
            "stringData": {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": KEY},
        }
    )
    yield made
    await cluster.delete(SECRETS, made)


async def test_secrets_by_reference(cluster: Cluster, name: str, secret: str) -> None:
    """A pod refers to the store's keys in their Secret; the value stands nowhere in plain text."""
    annotations = {"serving.kserve.io/storageSecretName": secret}
    fields = {"storageUri": "s3://models/iris"}
    await cluster.apply(cluster.isvc(name, annotations=annotations, model_fields=fields))
    (pod, *_) = await cluster.until(
        PODS, bool, labels=f"serving.kserve.io/inferenceservice={name}", timeout_s=60
    )
    containers = [*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or ())]
    references = [
        one["valueFrom"]["secretKeyRef"]
        for container in containers
        for one in container.get("env") or ()
        if one["name"] == "AWS_SECRET_ACCESS_KEY"
    ]
    assert {"name": secret, "key": "AWS_SECRET_ACCESS_KEY"}.items() <= references[0].items()
    assert KEY not in str(pod)
    assert KEY not in str(await cluster.ksvc(name))


async def test_storage_key(cluster: Cluster, name: str) -> None:
    """storage.key becomes a reference to the entry of storage-config, beside its parameters."""
    source = {"key": "minio", "path": "iris/v1", "parameters": {"region": "eu-west-1"}}
    isvc = cluster.isvc(name, model_fields={"storage": source})
    del isvc["spec"]["predictor"]["model"]["storageUri"]
    config = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "storage-config", "namespace": cluster.namespace},
        "stringData": {
            "minio": '{"type": "s3", "bucket": "models", "endpoint_url": "http://minio.example.com",'
            f' "access_key_id": "id", "secret_access_key": "{KEY}"}}'
        },
    }
    await cluster.apply(config)
    await cluster.apply(isvc)
    (pod, *_) = await cluster.until(
        PODS, bool, labels=f"serving.kserve.io/inferenceservice={name}", timeout_s=60
    )
    containers = [*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or ())]
    env = [one for container in containers for one in container.get("env") or ()]
    reference = next(one for one in env if one["name"] == "STORAGE_CONFIG")
    assert reference["valueFrom"]["secretKeyRef"] == {"name": "storage-config", "key": "minio"}
    assert KEY not in str(pod)


async def test_a_claim_is_mounted(cluster: Cluster, name: str) -> None:
    """A model on a claim is mounted read-only at /mnt/models, and nothing is fetched."""
    await cluster.apply(cluster.isvc(name, model_fields={"storageUri": "pvc://models/iris"}))
    pod = (await cluster.template(name))["spec"]
    (volume,) = pod["volumes"]
    assert volume["persistentVolumeClaim"]["claimName"] == "models"
    (mount,) = pod["containers"][0]["volumeMounts"]
    assert mount["mountPath"] == "/mnt/models"
    assert mount["subPath"] == "iris"
    assert mount["readOnly"] is True


async def test_a_service_account(cluster: Cluster, name: str) -> None:
    """The predictor's service account, timeout and container fields are in the compiled pod."""
    fields = {"env": [{"name": "GREETING", "value": "hello"}]}
    isvc = cluster.isvc(name, model_fields=fields, serviceAccountName="reader", timeout=42)
    await cluster.apply(isvc)
    pod = (await cluster.template(name))["spec"]
    assert pod["serviceAccountName"] == "reader"
    assert pod["timeoutSeconds"] == 42
    assert variables(pod["containers"][0])["GREETING"] == "hello"
