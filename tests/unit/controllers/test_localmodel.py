"""Caches of models: which nodes keep which, how far they are, and how they go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from rouse.api.inferenceservice.types import InferenceService
from rouse.api.localmodelnode.names import (
    CLAIM_ANNOTATION,
    SERVICE_CACHE_LABEL,
    demand_name,
    model_key,
    node_label,
)
from rouse.compiler.config import Config
from rouse.compiler.metadata import pod_annotations, pod_labels
from rouse.controllers.inferenceservice import make_manager
from rouse.controllers.localmodel.groups import make_group_status
from rouse.controllers.localmodel.selection import matches
from rouse.controllers.localmodel.services import Use
from rouse.controllers.localmodel.sources import (
    CACHES,
    CLAIMS,
    GROUPS,
    LOCAL_NODES,
    NAMESPACE_CACHES,
    VOLUMES,
)
from rouse.controllers.localmodel.volumes import claim_name, make_volumes
from rouse.controllers.localmodel.wanted import make_models as wanted_models
from rouse.embedded.apiserver.memory import memory_api
from rouse.errors import NotFoundError
from rouse.kube import KubeClient
from rouse.kube.objects import Key, Object
from rouse.kube.resources import CONFIG_MAPS, INFERENCE_SERVICES, NODES, Resource

URI = "s3://models/large"


@pytest.mark.parametrize(
    ("operator", "values", "fits"),
    [
        ("In", ["a100", "h100"], True),
        ("NotIn", ["h100"], False),
        ("Exists", [], True),
        ("DoesNotExist", [], False),
        ("Gt", ["7"], False),
    ],
)
def test_selectors_of_nodes(operator: str, values: list[str], fits: bool) -> None:
    node = {"metadata": {"name": "n", "labels": {"gpu": "h100", "count": "8"}}}
    condition = {"key": "gpu", "operator": operator, "values": values}
    assert matches(node, {"matchExpressions": [condition]}) is fits
    assert (
        matches(node, {"matchExpressions": [{**condition, "key": "count"}]})
        is (
            {"In": False, "NotIn": True, "Exists": True, "DoesNotExist": False, "Gt": True}[
                operator
            ]
        )
    )


def test_an_empty_term_fits_none_and_fields_are_names() -> None:
    node = {"metadata": {"name": "n"}}
    assert not matches(node, {})
    named = {"key": "metadata.name", "operator": "In", "values": ["n"]}
    assert matches(node, {"matchFields": [named]})


def node(name: str, *, ready: str = "True") -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"disk": "large"}},
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }


GROUP: Object = {
    "apiVersion": "serving.kserve.io/v1alpha1",
    "kind": "LocalModelNodeGroup",
    "metadata": {"name": "disks"},
    "spec": {
        "storageLimit": "10Gi",
        "persistentVolumeSpec": {
            "accessModes": ["ReadOnlyMany"],
            "capacity": {"storage": "10Gi"},
            "storageClassName": "local",
            "local": {"path": "/models"},
            "nodeAffinity": {
                "required": {
                    "nodeSelectorTerms": [
                        {"matchExpressions": [{"key": "disk", "operator": "Exists"}]}
                    ]
                }
            },
        },
        "persistentVolumeClaimSpec": {
            "accessModes": ["ReadOnlyMany"],
            "resources": {"requests": {"storage": "10Gi"}},
            "storageClassName": "local",
        },
    },
}


def cache(name: str = "large") -> Object:
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "LocalModelCache",
        "metadata": {"name": name},
        "spec": {"sourceModelUri": URI, "modelSize": "1Gi", "nodeGroups": ["disks"]},
    }


def service(name: str, uri: str, **annotations: str) -> Object:
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "namespace": "default", "annotations": annotations},
        "spec": {"predictor": {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": uri}}},
    }


@pytest.fixture
async def user() -> AsyncIterator[KubeClient]:
    """A user of an API on which the controllers run."""
    async with memory_api() as (_, http):
        client = KubeClient(http, field_manager="user")
        data = {"modelCache": "{nodeGroup: disks}"}
        config = {"name": "rouse-config", "namespace": "rouse-system"}
        await client.apply(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": config, "data": data}
        )
        for name in ("one", "two"):
            await client.apply({k: v for k, v in node(name).items() if k != "status"})
            await client.patch(NODES, name, {"status": node(name)["status"]}, subresource="status")
        await client.apply(GROUP)
        async with make_manager(KubeClient(http)):
            yield client


async def seen(
    user: KubeClient, resource: Resource, name: str, right: Callable[[Object], Any]
) -> Object:
    """Wait until an object is right; a deleted one is {}."""
    async with asyncio.timeout(15):
        listed = await user.list(resource, fields=f"metadata.name={name}")
        found = listed.items[0] if listed.items else {}
        if right(found):
            return found
        watch = user.watch(resource, resource_version=listed.resource_version)
        async for event in watch:
            if event.object["metadata"]["name"] != name:
                continue
            found = {} if event.type == "DELETED" else event.object
            if right(found):
                return found
    raise AssertionError("the watch ended")


def models(local: Object) -> list[str]:
    return [each["modelName"] for each in (local.get("spec") or {}).get("localModels") or ()]


async def told(user: KubeClient, name: str, model: str, state: str) -> None:
    """What a node's agent says."""
    status = {"modelStatus": {model: state}}
    await user.patch(LOCAL_NODES, name, {"status": status}, subresource="status")


async def test_a_cache_goes_to_the_nodes_of_its_group_and_off_again(user: KubeClient) -> None:
    await user.apply(cache())
    for name in ("one", "two"):
        await seen(user, LOCAL_NODES, name, lambda local: models(local) == ["large"])
    await told(user, "one", "large", "ModelDownloaded")
    await told(user, "two", "large", "ModelDownloadError")
    status = (
        await seen(
            user,
            CACHES,
            "large",
            lambda found: (found.get("status") or {}).get("copies", {}).get("failed") == 1,
        )
    )["status"]
    assert status["nodeStatus"] == {"one": "NodeDownloaded", "two": "NodeDownloadError"}
    assert status["copies"] == {"total": 2, "available": 1, "failed": 1}
    # Pods find the node that has it.
    label = node_label(URI)
    await seen(user, NODES, "one", lambda found: found["metadata"]["labels"].get(label) == "true")
    await user.delete(CACHES, "large")
    await seen(user, CACHES, "large", lambda found: not found)
    await seen(user, LOCAL_NODES, "two", lambda local: local and not models(local))
    await seen(user, NODES, "one", lambda found: label not in found["metadata"]["labels"])


async def test_a_node_that_vanishes_is_no_longer_counted(user: KubeClient) -> None:
    await user.apply(cache())
    await seen(user, LOCAL_NODES, "two", lambda local: models(local) == ["large"])
    await told(user, "two", "large", "ModelDownloading")
    await user.delete(NODES, "two")
    await seen(user, LOCAL_NODES, "two", lambda found: not found)
    await seen(
        user,
        CACHES,
        "large",
        lambda found: list((found.get("status") or {}).get("nodeStatus") or ()) == ["one"],
    )


async def test_a_node_that_is_lost_in_the_middle_is_told(user: KubeClient) -> None:
    await user.apply(cache())
    await seen(user, LOCAL_NODES, "two", models)
    await told(user, "one", "large", "ModelDownloaded")
    await told(user, "two", "large", "ModelDownloading")
    lost = node("two", ready="Unknown")["status"]
    await user.patch(NODES, "two", {"status": lost}, subresource="status")
    wanted = {"one": "NodeDownloaded", "two": "NodeNotReady"}
    found = await seen(
        user, CACHES, "large", lambda found: (found.get("status") or {}).get("nodeStatus") == wanted
    )
    # What the other has serves on.
    assert found["status"]["copies"]["available"] == 1


async def test_a_service_of_the_model_is_listed_and_gets_volume_and_claim(user: KubeClient) -> None:
    await user.apply(cache())
    await user.apply(service("iris", f"{URI}/part"))
    found = await seen(
        user, CACHES, "large", lambda found: (found.get("status") or {}).get("inferenceServices")
    )
    assert found["status"]["inferenceServices"] == [{"name": "iris", "namespace": "default"}]
    claim = await user.get(CLAIMS, "large-disks", "default")
    volume = await user.get(VOLUMES, claim["spec"]["volumeName"])
    # What all may read, and nothing beside it.
    assert volume["spec"]["local"] == {"path": "/models/views/shared"}
    assert volume["metadata"]["ownerReferences"][0]["name"] == "large"


def spaced(name: str, namespace: str = "team-a", **spec: Any) -> Object:
    made = cache(name)
    metadata = {"name": name, "namespace": namespace}
    return {**made, "metadata": metadata, "spec": {**made["spec"], **spec}}


def test_a_node_is_told_who_may_read_what() -> None:
    """A LocalModelCache names nobody: it is for all."""
    caches = [cache("all"), spaced("own", sourceModelUri="s3://a"), spaced("private")]
    caches[-1]["spec"] |= {"sourceModelUri": "s3://b", "serviceAccountName": "team"}
    wanted = {"readers": {"s3://b": {"team-a", "team-b"}, URI: {"team-b"}, "s3://c": ["team-c"]}}
    demanded = {"s3://b": "disks", URI: "disks", "s3://c": "disks", "s3://nobody": "disks"}
    made = wanted_models(node("one"), {"disks": GROUP}, caches, demanded, **wanted)
    found = {(each["sourceModelUri"], each.get("namespace")) for each in made}
    assert found == {
        (URI, None),
        ("s3://a", "team-a"),
        # What is private to one namespace is another's to fetch for itself.
        ("s3://b", "team-a"),
        ("s3://b", "team-b"),
        ("s3://c", "team-c"),
    }
    (private,) = [each for each in made if each["modelName"] == "private"]
    assert private["serviceAccountName"] == "team"
    assert len({model_key(each) for each in made}) == len(made)


def labelled(name: str | None) -> Callable[[Object], bool]:
    label = "internal.serving.kserve.io/localmodel"
    return lambda found: (found["metadata"].get("labels") or {}).get(label) == name


async def test_a_service_is_labelled_while_a_cache_has_its_model(user: KubeClient) -> None:
    await user.apply(service("iris", URI))
    await user.apply(service("other", "s3://models/other"))
    await user.apply(cache())
    await seen(user, INFERENCE_SERVICES, "iris", labelled("large"))
    # The namespace's own goes before the cluster's.
    own = {**cache("own"), "kind": "LocalModelNamespaceCache"}
    own["metadata"]["namespace"] = "default"
    await user.apply(own)
    await seen(user, INFERENCE_SERVICES, "iris", labelled("own"))
    assert labelled(None)(await user.get(INFERENCE_SERVICES, "other", "default"))
    for resource, namespace, name in ((NAMESPACE_CACHES, "default", "own"), (CACHES, "", "large")):
        await user.delete(resource, name, namespace or None)
    await seen(user, INFERENCE_SERVICES, "iris", labelled(None))


def test_the_label_makes_no_new_revision() -> None:
    made = InferenceService.model_validate(service("iris", URI))
    made.metadata.labels = {SERVICE_CACHE_LABEL: "large", "team": "a"}
    assert pod_labels(made, Config()) == {"team": "a"}
    made.metadata.annotations = {CLAIM_ANNOTATION: "large-disks", "mine": "b"}
    assert pod_annotations(made, Config()) == {"mine": "b"}


@pytest.mark.parametrize(
    ("sizes", "states", "used", "available"),
    [
        ({}, {}, 0, 10 * 2**30),
        # What its node does not tell is as large as the cache says.
        ({}, {"large": "ModelDownloaded"}, 2**30, 9 * 2**30),
        ({"large": 1000}, {"large": "ModelDownloaded"}, 1000, 10 * 2**30 - 1000),
        ({"large": 1000}, {"large": "ModelDownloading"}, 0, 10 * 2**30),
        ({"large": 11 * 2**30}, {"large": "ModelDownloaded"}, 11 * 2**30, 0),
    ],
)
def test_the_room_of_a_group_is_that_of_its_fullest_node(
    sizes: dict[str, int], states: dict[str, str], used: int, available: int
) -> None:
    model = {"modelName": "large", "sourceModelUri": URI, "nodeGroup": "disks"}
    again = {**model, "modelName": "again"}
    other = {**model, "modelName": "other", "nodeGroup": "others"}
    empty: Object = {"spec": {"localModels": []}}
    full: Object = {
        "spec": {"localModels": [model, again, other]},
        "status": {
            "modelStatus": {**states, "other": "ModelDownloaded"},
            "modelBytes": {**sizes, "other": 5},
        },
    }
    status = make_group_status(GROUP, [empty, full], [cache()])
    assert status == {"used": str(used), "available": str(available)}


async def test_a_group_tells_the_room_that_is_left(user: KubeClient) -> None:
    await user.apply(cache())
    await seen(user, LOCAL_NODES, "one", lambda local: models(local) == ["large"])
    await told(user, "one", "large", "ModelDownloaded")
    found = await seen(
        user, GROUPS, "disks", lambda found: (found.get("status") or {}).get("used") == str(2**30)
    )
    assert found["status"]["available"] == str(9 * 2**30)


@pytest.mark.parametrize("kind", ["LocalModelCache", "LocalModelNamespaceCache"])
async def test_volume_and_claim_go_with_the_last_service_of_a_namespace(
    user: KubeClient, kind: str
) -> None:
    asked = {**cache(), "kind": kind}
    if kind == "LocalModelNamespaceCache":
        asked["metadata"] = {"name": "large", "namespace": "default"}
    await user.apply(asked)
    await user.apply(service("iris", URI))
    volume = "large-disks-default"
    await seen(user, VOLUMES, volume, bool)
    await seen(user, CLAIMS, "large-disks", bool)
    # It serves another model now.
    await user.apply(service("iris", "s3://models/other"))
    await seen(user, CLAIMS, "large-disks", lambda found: not found)
    await seen(user, VOLUMES, volume, lambda found: not found)
    # And the first again.
    await user.apply(service("iris", URI))
    await seen(user, VOLUMES, volume, bool)


def test_a_namespaces_volume_is_its_own_folder() -> None:
    use = Use(Key("team-a", "iris"), (URI,))
    own = spaced("own")
    own["metadata"]["uid"] = "u"
    volume, claim = make_volumes(own, {"disks": GROUP}, [use])
    assert volume["spec"]["local"] == {"path": "/models/views/namespaces/team-a"}
    assert claim["metadata"]["name"] == claim_name(own, "disks") == "own-disks"
    driven = {**GROUP, "spec": {**GROUP["spec"], "persistentVolumeSpec": {"csi": {"driver": "d"}}}}
    volume, _ = make_volumes(own, {"disks": driven}, [use])
    assert volume["spec"]["csi"] == {"driver": "d"}


async def test_a_service_names_its_claim_once_a_node_has_the_model(user: KubeClient) -> None:
    config = await user.get(CONFIG_MAPS, "rouse-config", "rouse-system")
    config["data"] = {"modelCache": "{nodeGroup: disks, claims: true}"}
    await user.replace(config)
    await user.apply(cache())
    await user.apply(service("iris", URI))
    found = await seen(user, INFERENCE_SERVICES, "iris", labelled("large"))
    assert CLAIM_ANNOTATION not in found["metadata"]["annotations"]
    await seen(user, LOCAL_NODES, "one", models)
    await told(user, "one", "large", "ModelDownloaded")

    def claimed(found: Object) -> bool:
        annotations = found["metadata"].get("annotations") or {}
        return bool(annotations.get(CLAIM_ANNOTATION) == "large-disks")

    await seen(user, INFERENCE_SERVICES, "iris", claimed)
    await user.delete(CACHES, "large")
    await seen(user, INFERENCE_SERVICES, "iris", lambda found: not claimed(found))


async def test_services_get_their_models_on_demand(user: KubeClient) -> None:
    uri = "https://models.example.com/iris.joblib"
    wanted = {"rouse.dev/model-cache": "demand"}
    await user.apply(service("iris", uri, **wanted))
    await user.apply(service("mounted", "pvc://claim/iris", **wanted))
    await user.apply(service("other", "https://models.example.com/other.joblib"))
    name = demand_name(uri)
    local = await seen(user, LOCAL_NODES, "one", lambda local: models(local) == [name])
    assert local["spec"]["localModels"][0]["sourceModelUri"] == uri
    assert local["spec"]["localModels"][0]["namespace"] == "default"
    # A cache asks for the same: once is enough.
    await user.apply({**cache(), "spec": {**cache()["spec"], "sourceModelUri": uri}})
    await seen(user, LOCAL_NODES, "one", lambda local: models(local) == ["large"])


async def test_a_group_that_is_not_there_is_told(user: KubeClient) -> None:
    lost = cache("lost")
    lost["spec"]["nodeGroups"] = ["nowhere"]
    await user.apply(lost)
    found = await seen(user, CACHES, "lost", lambda found: "status" in found)
    assert found["status"]["copies"] == {"total": 0, "available": 0, "failed": 0}
    with pytest.raises(NotFoundError):
        await user.get(LOCAL_NODES, "one")
