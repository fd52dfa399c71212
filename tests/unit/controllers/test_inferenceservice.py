"""Objects in -> writes, status and events out, on the real API's core."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from rouse.controllers.inferenceservice.settings import Settings
from rouse.controllers.writing.ownership import NotOwnedError
from rouse.errors import (
    ApiError,
    ConfigError,
    ConflictError,
    RejectedError,
    UnavailableError,
)
from rouse.kube.apply import APPLIED
from rouse.kube.objects import Object
from rouse.kube.resources import (
    CLUSTER_SERVING_RUNTIMES,
    CONFIG_MAPS,
    DEPLOYMENTS,
    INFERENCE_SERVICES,
    KNATIVE_SERVICES,
    REVISIONS,
    SERVICES,
    VIRTUAL_SERVICES,
)
from tests.unit.controllers.harness import KEY, Harness, harness, service

KSVC = "PATCH services/iris-predictor"
SERVICE = "PATCH services/iris"
ROUTES = "PATCH virtualservices/iris"
STATUS = "PUT inferenceservices/iris/status"


@pytest.fixture
async def world() -> AsyncIterator[Harness]:
    async with harness() as running:
        yield running


async def rolled_out(world: Harness) -> None:
    """Bring iris to Ready with its first revision."""
    await world.apply(service())
    await world.settle()
    await world.knative("iris-predictor-00001")
    await world.settle()


def weights(routes: Object) -> dict[str, int]:
    (route,) = routes["spec"]["http"]
    return {one["destination"]["host"].split(".")[0]: one["weight"] for one in route["route"]}


async def test_from_apply_to_ready(world: Harness) -> None:
    await world.apply(service())
    assert await world.settle() == [KSVC, SERVICE, STATUS]
    assert (await world.conditions())["Ready"] == "Unknown"
    assert await world.names(VIRTUAL_SERVICES) == []
    await world.knative("iris-predictor-00001")
    assert await world.settle() == [ROUTES, STATUS]
    assert set((await world.conditions()).values()) == {"True"}
    status = (await world.get(INFERENCE_SERVICES))["status"]
    assert status["url"] == "http://iris.default.localhost"
    assert status["components"]["predictor"]["latestReadyRevision"] == "iris-predictor-00001"
    assert status["clusterServingRuntimeName"] == "rouse-sklearnserver"
    assert sorted(await world.events()) == [
        "Normal InferenceServiceReady x1",
        "Normal RolledOut x1",
    ]


async def test_at_steady_state_nothing_is_written_nor_asked(world: Harness) -> None:
    await rolled_out(world)
    world.faults.requests.clear()
    for _ in range(3):
        await world.reconcile(KEY)
    assert not world.faults.requests


async def test_canary_promotion_and_roll_back(world: Harness) -> None:
    await rolled_out(world)
    second = {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://models/iris2"}
    await world.apply(service(model=second, canaryTrafficPercent=20))
    assert KSVC in await world.settle()
    assert weights(await world.get(VIRTUAL_SERVICES)) == {"iris-predictor-00001": 100}
    await world.knative("iris-predictor-00002")
    await world.settle()
    assert weights(await world.get(VIRTUAL_SERVICES)) == {
        "iris-predictor-00002": 20,
        "iris-predictor-00001": 80,
    }
    await world.apply(service(model=second, canaryTrafficPercent=0))
    await world.settle()
    assert weights(await world.get(VIRTUAL_SERVICES)) == {"iris-predictor-00001": 100}
    await world.apply(service(model=second))
    await world.settle()
    assert weights(await world.get(VIRTUAL_SERVICES)) == {"iris-predictor-00002": 100}
    traffic = (await world.get(KNATIVE_SERVICES, "iris-predictor"))["spec"]["traffic"]
    assert [(one["percent"], one["tag"]) for one in traffic] == [(100, "latest")]


@pytest.mark.parametrize(
    ("resource", "name", "patch", "writes"),
    [
        (KNATIVE_SERVICES, "iris-predictor", {"spec": {"traffic": []}}, [KSVC]),
        (KNATIVE_SERVICES, "iris-predictor", {"metadata": {"labels": {"component": "x"}}}, [KSVC]),
        (SERVICES, "iris", {"spec": {"externalName": "elsewhere"}}, [SERVICE]),
        (VIRTUAL_SERVICES, "iris", {"spec": {"hosts": ["other"]}}, [ROUTES]),
        (VIRTUAL_SERVICES, "iris", {"spec": {"http": []}}, [ROUTES]),
        (VIRTUAL_SERVICES, "iris", {"metadata": {"annotations": {APPLIED: None}}}, [ROUTES]),
        (VIRTUAL_SERVICES, "iris", {"metadata": {"labels": {"mine": "yes"}}}, []),
    ],
)
async def test_drift_is_repaired_what_others_add_is_left_alone(
    world: Harness, resource: Any, name: str, patch: Object, writes: list[str]
) -> None:
    await rolled_out(world)
    before = await world.get(resource, name)
    await world.user.patch(resource, name, patch, namespace=KEY.namespace)
    written = await world.settle()
    assert [line for line in written if line != STATUS] == writes
    after = await world.get(resource, name)
    assert after["spec"] == before["spec"]


@pytest.mark.parametrize(
    ("resource", "name"),
    [(KNATIVE_SERVICES, "iris-predictor"), (SERVICES, "iris"), (VIRTUAL_SERVICES, "iris")],
)
async def test_what_is_deleted_comes_back(world: Harness, resource: Any, name: str) -> None:
    await rolled_out(world)
    await world.user.delete(resource, name, KEY.namespace)
    await world.settle()
    assert name in await world.names(resource)


async def test_a_field_removed_from_the_spec_is_removed_from_the_objects(world: Harness) -> None:
    model = service()["spec"]["predictor"]["model"]
    await world.apply(service(model={**model, "env": [{"name": "A", "value": "1"}]}))
    await world.settle()

    async def env() -> list[str]:
        live = await world.get(KNATIVE_SERVICES, "iris-predictor")
        (container,) = live["spec"]["template"]["spec"]["containers"]
        return [one["name"] for one in container.get("env") or ()]

    assert "A" in await env()
    await world.apply(service())
    await world.settle()
    assert "A" not in await env()


async def test_stopping_deletes_what_runs(world: Harness) -> None:
    await rolled_out(world)
    stop = {"metadata": {"annotations": {"serving.kserve.io/stop": "true"}}}
    await world.user.patch(INFERENCE_SERVICES, "iris", stop, namespace=KEY.namespace)
    written = await world.settle()
    assert sorted(line for line in written if line.startswith("DELETE")) == [
        "DELETE services/iris",
        "DELETE services/iris-predictor",
        "DELETE virtualservices/iris",
    ]
    assert (await world.conditions())["Stopped"] == "True"


async def test_deleting_leaves_nothing_behind(world: Harness) -> None:
    await rolled_out(world)
    await world.user.delete(INFERENCE_SERVICES, "iris", KEY.namespace, propagation="Foreground")
    for resource in (KNATIVE_SERVICES, SERVICES, VIRTUAL_SERVICES, REVISIONS):
        while await world.names(resource):
            world.changed.clear()
            await world.changed.wait()
    await world.caught_up()
    world.faults.writes.clear()
    await world.reconcile(KEY)
    assert world.faults.writes == []


async def test_an_unknown_format_writes_a_condition_and_nothing_else(world: Harness) -> None:
    await world.apply(service(model={"modelFormat": {"name": "nosuch"}}))
    assert await world.settle() == [STATUS]
    ready = await world.condition("Ready")
    assert (ready["status"], ready["reason"]) == ("False", "NoSupportingRuntime")
    assert "spec.predictor.model.modelFormat" in ready["message"]
    assert await world.events() == ["Warning NoSupportingRuntime x1"]
    runtime = await world.user.get(CLUSTER_SERVING_RUNTIMES, "rouse-sklearnserver")
    formats = [{"name": "nosuch", "version": "1", "autoSelect": True}]
    await world.apply(
        {
            "apiVersion": runtime["apiVersion"],
            "kind": runtime["kind"],
            "metadata": {"name": "another"},
            "spec": {**runtime["spec"], "supportedModelFormats": formats},
        }
    )
    assert KSVC in await world.settle()


async def test_a_storage_container_that_comes_later_is_taken_up(world: Harness) -> None:
    model = {"modelFormat": {"name": "sklearn"}, "storageUri": "model-registry://iris/v1"}
    await world.apply(service(model=model, storageContainerName="registry"))
    assert await world.settle() == [STATUS]
    assert "registry" in (await world.condition("Ready"))["message"]
    await world.apply(
        {
            "apiVersion": "serving.kserve.io/v1alpha1",
            "kind": "ClusterStorageContainer",
            "metadata": {"name": "registry"},
            "spec": {
                "container": {"name": "storage-initializer", "image": "registry:v1"},
                "supportedUriFormats": [{"prefix": "model-registry://"}],
            },
        }
    )
    assert KSVC in await world.settle()


async def test_a_bad_change_leaves_the_last_good_one_serving(world: Harness) -> None:
    await rolled_out(world)
    before = await world.get(VIRTUAL_SERVICES)
    await world.apply(service(model={"modelFormat": {"name": "nosuch"}}))
    assert await world.settle() == [STATUS]
    assert (await world.get(VIRTUAL_SERVICES))["spec"] == before["spec"]
    assert "iris-predictor" in await world.names(KNATIVE_SERVICES)


async def test_a_model_that_cannot_be_loaded_leaves_the_last_one_serving(world: Harness) -> None:
    await rolled_out(world)
    await world.apply(service(containerConcurrency=1))
    await world.settle()
    await world.knative("iris-predictor-00002", ready=False, message="EOFError: no data left")
    await world.settle()
    latest = await world.condition("LatestDeploymentReady")
    assert latest["status"] == "False"
    assert "EOFError: no data left" in latest["message"]
    assert weights(await world.get(VIRTUAL_SERVICES)) == {"iris-predictor-00001": 100}


@pytest.mark.parametrize(
    ("what", "code", "reason", "error"),
    [
        (KSVC, 409, "Conflict", ConflictError),
        (KSVC, 500, "InternalError", UnavailableError),
        (SERVICE, 503, "ServiceUnavailable", UnavailableError),
        ("GET services/iris", 500, "InternalError", UnavailableError),
        (STATUS, 409, "Conflict", ConflictError),
        (STATUS, 500, "InternalError", UnavailableError),
    ],
)
async def test_after_a_fault_the_end_is_the_same(
    world: Harness, what: str, code: int, reason: str, error: type[ApiError]
) -> None:
    await world.apply(service())
    await world.caught_up()
    world.faults.fail(what, code, reason)
    with pytest.raises(error):
        await world.reconcile(KEY)
    assert world.faults.planned == []
    await world.settle()
    await world.knative("iris-predictor-00001")
    await world.settle()
    assert (await world.conditions())["Ready"] == "True"
    assert sorted(await world.events()) == [
        "Normal InferenceServiceReady x1",
        "Normal RolledOut x1",
    ]


async def test_what_the_api_refuses_is_said_in_a_condition(world: Harness) -> None:
    await world.apply(service())
    await world.caught_up()
    world.faults.fail(KSVC, 422, "Invalid", "spec.template: not with this Knative")
    with pytest.raises(RejectedError):
        await world.reconcile(KEY)
    ready = await world.condition("Ready")
    assert (ready["status"], ready["message"]) == ("False", "spec.template: not with this Knative")
    await world.settle()
    assert (await world.conditions())["Ready"] == "Unknown"


async def test_a_feature_that_knative_lacks_is_named_with_what_helps(world: Harness) -> None:
    await world.apply(service(tolerations=[{"key": "spot", "operator": "Exists"}]))
    await world.caught_up()
    said = "must not set the field(s): spec.template.spec.tolerations"
    world.faults.fail(KSVC, 400, "BadRequest", said)
    with pytest.raises(RejectedError):
        await world.reconcile(KEY)
    message = (await world.condition("Ready"))["message"]
    assert message.startswith(f"{said}. Knative lacks kubernetes.podspec-tolerations; to enable: ")


async def test_a_kind_the_cluster_lacks_is_named_with_what_helps(world: Harness) -> None:
    wanted = service(minReplicas=1, maxReplicas=2, scaleMetric="cpu", scaleTarget=50)
    wanted["metadata"]["annotations"] = {
        "serving.kserve.io/deploymentMode": "Standard",
        "serving.kserve.io/autoscalerClass": "keda",
    }
    await world.apply(wanted)
    await world.caught_up()
    # The embedded API serves no kinds of KEDA, like a cluster without it.
    with pytest.raises(RejectedError):
        await world.reconcile(KEY)
    ready = await world.condition("Ready")
    assert ready["status"] == "False"
    assert "the API has no ScaledObject (keda.sh/v1alpha1): install KEDA" in ready["message"]


async def test_an_object_of_another_is_not_taken_over(world: Harness) -> None:
    foreign: Object = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "iris", "namespace": KEY.namespace},
        "spec": {"ports": [{"port": 80}]},
    }
    await world.apply(foreign)
    await world.apply(service())
    await world.caught_up()
    with pytest.raises(NotOwnedError, match="Service iris in namespace default was made by"):
        await world.reconcile(KEY)
    assert "externalName" not in (await world.get(SERVICES))["spec"]
    assert "rename the InferenceService" in (await world.condition("Ready"))["message"]
    await world.user.delete(SERVICES, "iris", KEY.namespace)
    await world.settle()
    assert (await world.get(SERVICES))["spec"]["type"] == "ExternalName"


async def test_a_copy_that_lags_behind_our_own_write_decides_nothing(world: Harness) -> None:
    await world.apply(service())
    await world.caught_up()
    await world.sources.services.stop()
    await world.reconcile(KEY)
    assert STATUS in world.faults.writes
    world.faults.writes.clear()
    await world.reconcile(KEY)
    assert world.faults.writes == []
    await world.sources.services.start()
    await world.settle()
    assert (await world.conditions())["Ready"] == "Unknown"


async def test_settings_are_taken_up_and_bad_ones_reported(world: Harness) -> None:
    await rolled_out(world)
    change: Object = {"data": {"domain": "models.example"}}
    await world.user.patch(CONFIG_MAPS, "rouse-config", change, namespace="rouse-system")
    await world.settle()
    hosts = (await world.get(VIRTUAL_SERVICES))["spec"]["hosts"]
    assert "iris.default.models.example" in hosts
    change = {"data": {"domian": "typo"}}
    await world.user.patch(CONFIG_MAPS, "rouse-config", change, namespace="rouse-system")
    assert await world.settle() == []
    assert world.settings.config.domain == "models.example"
    restarted = Settings(world.sources, world.recorder)
    assert restarted.config.domain == "models.example", "a slip costs no other key"
    change = {"data": {"domain": None, "domian": "typo"}}
    await world.user.patch(CONFIG_MAPS, "rouse-config", change, namespace="rouse-system")
    await world.settle()
    restarted = Settings(world.sources, world.recorder)
    with pytest.raises(ConfigError, match=r'setting domain is not known.*did you mean "domain"'):
        _ = restarted.config.domain


async def test_the_settings_of_kserve_are_read_and_rouse_config_wins(world: Harness) -> None:
    await rolled_out(world)
    namespace: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kserve"}}
    await world.apply(namespace)
    ingress = {"ingressDomain": "old.example", "domainTemplate": "{{.Name}}.{{.IngressDomain}}"}
    await world.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "inferenceservice-config", "namespace": "kserve"},
            "data": {"ingress": orjson.dumps(ingress).decode()},
        }
    )
    await world.settle()
    # The embedded engine's own rouse-config has a domain, and no template.
    assert "iris.localhost" in (await world.get(VIRTUAL_SERVICES))["spec"]["hosts"]


async def test_the_mode_standard_is_run_by_deployments(world: Harness) -> None:
    obj = service()
    obj["metadata"]["annotations"] = {"serving.kserve.io/deploymentMode": "RawDeployment"}
    await world.apply(obj)
    written = await world.settle()
    assert "PATCH deployments/iris-predictor" in written
    assert await world.names(KNATIVE_SERVICES) == []
    await world.user.delete(DEPLOYMENTS, "iris-predictor", KEY.namespace)
    await world.settle()
    assert "iris-predictor" in await world.names(DEPLOYMENTS)


def pair(version: int, **predictor: Any) -> Object:
    """A model and the transformer made for it."""
    model = {"modelFormat": {"name": "sklearn"}, "storageUri": f"s3://models/iris{version}"}
    obj = service(model=model, **predictor)
    image = f"example.com/scale:{version}"
    obj["spec"]["transformer"] = {"containers": [{"name": "scale", "image": image}]}
    return obj


def ways(routes: Object) -> dict[str, tuple[int, str]]:
    """``{revision of the transformer: (percent, lineage)}``."""
    (route,) = routes["spec"]["http"]
    return {
        one["destination"]["host"].split(".")[0]: (
            one["weight"],
            one["headers"]["request"]["set"]["Rouse-Lineage"],
        )
        for one in route["route"]
    }


async def test_transformer_and_predictor_are_rolled_out_together(world: Harness) -> None:
    await world.apply(pair(1))
    written = await world.settle()
    assert written == [KSVC, "PATCH services/iris-transformer", SERVICE, STATUS]
    await world.knative("iris-predictor-00001")
    await world.settle()
    assert await world.names(VIRTUAL_SERVICES) == [], "nothing goes past the transformer"
    await world.knative("iris-transformer-00001")
    await world.settle()
    assert ways(await world.get(VIRTUAL_SERVICES)) == {"iris-transformer-00001": (100, "latest")}
    assert set((await world.conditions()).values()) == {"True"}

    await world.apply(pair(2, canaryTrafficPercent=20))
    await world.settle()
    await world.knative("iris-transformer-00002")
    await world.settle()
    assert ways(await world.get(VIRTUAL_SERVICES)) == {"iris-transformer-00001": (100, "latest")}
    await world.knative("iris-predictor-00002")
    await world.settle()
    assert ways(await world.get(VIRTUAL_SERVICES)) == {
        "iris-transformer-00002": (20, "latest"),
        "iris-transformer-00001": (80, "prev"),
    }
    await world.apply(pair(2))
    await world.settle()
    assert ways(await world.get(VIRTUAL_SERVICES)) == {"iris-transformer-00002": (100, "latest")}


async def test_a_transformer_that_is_added_takes_over_when_it_is_ready(world: Harness) -> None:
    await rolled_out(world)
    before = await world.get(VIRTUAL_SERVICES)
    obj = service()
    obj["spec"]["transformer"] = pair(1)["spec"]["transformer"]
    await world.apply(obj)
    await world.settle()
    assert (await world.get(VIRTUAL_SERVICES))["spec"] == before["spec"]
    assert (await world.conditions())["TransformerReady"] == "Unknown"
    await world.knative("iris-transformer-00001")
    await world.settle()
    assert list(ways(await world.get(VIRTUAL_SERVICES))) == ["iris-transformer-00001"]
    removed = service()
    removed["spec"]["transformer"] = None
    await world.user.patch(
        INFERENCE_SERVICES, "iris", {"spec": removed["spec"]}, namespace=KEY.namespace
    )
    assert "DELETE services/iris-transformer" in await world.settle()
    assert weights(await world.get(VIRTUAL_SERVICES)) == {"iris-predictor-00001": 100}


async def _play(world: Harness) -> None:
    """The whole life of a canary, as user and Knative; reconciled at every step."""
    second = {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://models/iris2"}
    await world.apply(service())
    await world.settle()
    await world.knative("iris-predictor-00001")
    await world.settle()
    await world.apply(service(model=second, canaryTrafficPercent=20))
    await world.settle()
    await world.knative("iris-predictor-00002")
    await world.settle()


async def _end(world: Harness) -> list[Object]:
    """What is there at the end, without what no two runs share."""
    found = []
    for resource in (INFERENCE_SERVICES, KNATIVE_SERVICES, SERVICES, VIRTUAL_SERVICES):
        for one in (await world.user.list(resource, KEY.namespace)).items:
            status = one.get("status") if resource is INFERENCE_SERVICES else None
            found.append({"kind": one["kind"], "spec": one["spec"], "status": status})
    return found


async def test_a_crash_after_any_write_leads_to_the_same_end() -> None:
    async with harness() as world:
        await _play(world)
        expected, writes = await _end(world), world.faults.count
    assert writes > 6
    for crash in range(1, writes + 1):
        async with harness() as world:
            world.faults.crash_after = crash
            await _play(world)
            assert world.crashes == 1
            assert await _end(world) == expected, f"after write {crash} of {writes}"
