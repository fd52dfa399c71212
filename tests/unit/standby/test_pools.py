"""The Deployments of standby pods: wanted, closed to others, within the budget, and gone again."""

from __future__ import annotations

import pytest

from rouse.coldstart.standby import Place
from rouse.compiler.config import Config
from rouse.compiler.podwebhook import mutate
from rouse.compiler.storage import Facts
from rouse.controllers.standby.objects import make_deployment
from rouse.controllers.standby.shape import fit_of
from rouse.controllers.standby.signing import PublicKey
from rouse.embedded.apiserver.schema import schema_for_builtin
from rouse.errors import ConfigError
from rouse.kube.objects import Object
from rouse.kube.resources import DEPLOYMENTS, PODS
from tests.unit.standby.conftest import POLICIES, REPLICA_SETS, RUNTIME, World, deployment


async def test_sleepers_of_one_shape_share_a_pool(world: World) -> None:
    await world.settle(count=2)
    for name in ("iris", "wine", "digits"):
        await world.service(name)
    await world.service("awake", replicas=1)
    pool = await world.until(world.pool, lambda each: each["spec"]["replicas"] == 2)
    assert schema_for_builtin("apps", "Deployment").validate(pool) == []
    template = pool["spec"]["template"]
    # Nothing that a Service, a NetworkPolicy or an autoscaler of the services selects.
    assert template["metadata"]["labels"].keys() == {"rouse.dev/standby", "app.kubernetes.io/name"}
    assert "internal.rouse.dev/storage-credentials" in template["metadata"]["annotations"]
    (container,) = template["spec"]["containers"]
    assert container["args"] == ["--standby", "--http_port=8080"]
    assert container["resources"]["requests"] == {"cpu": "1", "memory": "2Gi"}
    assert container["securityContext"]["runAsNonRoot"] is True
    env = {each["name"]: each.get("value") for each in container["env"]}
    assert env.keys() == {"ROUSE_STANDBY_KEY", "ROUSE_STANDBY_POD"}
    assert str(env["ROUSE_STANDBY_KEY"]).startswith("rsa:")
    policy = await world.user.get(POLICIES, "rouse-standby", "default")
    assert schema_for_builtin("networking.k8s.io", "NetworkPolicy").validate(policy) == []
    (source,) = policy["spec"]["ingress"][0]["from"]
    assert source["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "rouse-controller"}


async def test_they_follow_sleepers_and_settings(world: World) -> None:
    await world.settle(count=5)
    await world.service("iris")
    await world.service("wine")
    await world.until(world.pool, lambda each: each["spec"]["replicas"] == 2)
    await world.scale("wine", 1)
    await world.until(world.pool, lambda each: each["spec"]["replicas"] == 1)
    # Somebody scales it by hand: the settings win.
    pool = await world.pool()
    body = {"spec": {"replicas": 7}}
    await world.user.patch(DEPLOYMENTS, pool["metadata"]["name"], body, namespace="default")
    await world.until(world.pool, lambda each: each["spec"]["replicas"] == 1)
    await world.settle()

    async def left() -> list[Object]:
        policies = await world.listed(POLICIES)
        return policies + (await world.user.list(DEPLOYMENTS, labels="rouse.dev/standby")).items

    await world.until(left, lambda found: not found)


async def test_what_knative_wakes_needs_none(world: World) -> None:
    await world.settle(count=5)
    made = await world.service("iris")
    # A revision's Deployment carries the labels of the InferenceService, and not whose it is.
    labels = {"app.kubernetes.io/managed-by": None}
    name = made["metadata"]["name"]
    await world.user.patch(DEPLOYMENTS, name, {"metadata": {"labels": labels}}, namespace="default")
    await world.service("wine")
    await world.until(world.pool, lambda each: each["spec"]["replicas"] == 1)


async def test_what_differs_from_the_start_has_pools_of_its_own(world: World) -> None:
    await world.settle(count=5, memory="5Gi")
    for name in ("iris", "wine"):
        await world.service(name)
    large = {"requests": {"memory": "4Gi"}}
    for name in ("big", "huge"):
        await world.service(name, resources=large)

    async def pools() -> list[int]:
        found = (await world.user.list(DEPLOYMENTS, labels="rouse.dev/standby")).items
        return sorted(each["spec"]["replicas"] for each in found)

    # 2 + 2 Gi or 4 Gi, and what is left holds no other.
    await world.until(pools, lambda found: found in ([1], [2]))


async def test_without_replica_sets_there_are_none(world: World) -> None:
    """As on the embedded engine, where warm parents do this."""
    await world.settle(count=2)
    await world.service("iris")
    await world.pool()
    await world.user.delete(REPLICA_SETS, "iris-predictor-x", "default")

    async def pools() -> list[Object]:
        return (await world.user.list(DEPLOYMENTS, labels="rouse.dev/standby")).items

    await world.until(pools, lambda found: not found)


async def test_a_service_that_is_labelled_as_a_pool_is_none(world: World) -> None:
    await world.settle(count=1)
    live = await world.service("iris")
    await world.pool()
    body = {"metadata": {"labels": {"rouse.dev/standby": "mine"}}}
    await world.user.patch(DEPLOYMENTS, live["metadata"]["name"], body, namespace="default")
    await world.settle()

    async def pools() -> list[Object]:
        listed = await world.user.list(DEPLOYMENTS, labels="rouse.dev/standby!=mine")
        return [each for each in listed.items if "rouse.dev/standby" in each["metadata"]["labels"]]

    # The pools go, and it stays.
    await world.until(pools, lambda found: not found)
    await world.user.get(DEPLOYMENTS, live["metadata"]["name"], "default")


async def test_a_pod_claimed_by_a_controller_that_is_gone_goes_too(world: World) -> None:
    await world.settle(count=1)
    await world.service("iris")
    pod = await world.pod(await world.pool())
    body = {"metadata": {"annotations": {"rouse.dev/standby-for": "iris-predictor"}}}
    await world.user.patch(PODS, pod["metadata"]["name"], body, namespace="default")
    await world.gone(pod["metadata"]["name"])


async def test_a_budget_smaller_than_one_pod_is_told_of(world: World) -> None:
    await world.settle(count=1, memory="1Gi")
    await world.service("iris")
    told = await world.event("StandbyBudgetTooSmall")
    assert told == f"standby.{RUNTIME}.memory is 1Gi, and one pod requests 2048Mi"


async def test_what_the_api_refuses_is_told_of_and_tried_again(world: World) -> None:
    world.faults.fail("PATCH networkpolicies", 403, "Forbidden", "install the component standby")
    await world.settle(count=1)
    await world.service("iris")
    assert "install the component" in await world.event("StandbyPodsRefused")
    await world.pool()


@pytest.mark.parametrize("service_account", ["", "sa"])
def test_the_webhook_gives_it_what_it_gives_the_services_own(service_account: str) -> None:
    made = deployment("iris", 0, {})
    template = made["spec"]["template"]
    template["spec"] |= {"serviceAccountName": service_account} if service_account else {}
    shape = fit_of(template).shape
    standby = make_deployment(Place("default", shape.digest), shape, 1, PublicKey("rsa:x"))
    account = {"metadata": {"name": "sa"}, "secrets": [{"name": "creds"}]}
    facts = Facts({"sa": account}, {"creds": {"metadata": {}, "data": {"HF_TOKEN": "dA=="}}})

    def secrets(pod: Object) -> list[Object]:
        (container,) = mutate(pod, config=Config(), facts=facts)["spec"]["containers"]
        return [each for each in container["env"] if each["name"] == "HF_TOKEN"]

    theirs = secrets(template)
    assert secrets(standby["spec"]["template"]) == theirs
    assert bool(theirs) is bool(service_account)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{r: {count: -1}}", "standby.r.count: must be 0 or more"),
        ("{r: {count: 1, memory: much}}", 'standby.r.memory: "much" is no size'),
        ("{r: {count: 1, memory: '0'}}", "standby.r.memory"),
        ("{r: {pods: 1}}", "unknown key"),
    ],
)
def test_budgets_that_mean_nothing(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Config.from_config_map({"data": {"standby": text}})
