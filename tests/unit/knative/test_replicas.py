"""Replicas of a Deployment: launched at once, retired in the right order, replaced when lost."""

from __future__ import annotations

from copy import deepcopy

import pytest

from rouse.embedded.knative.names import POD_SUFFIX_ALPHABET
from rouse.embedded.knative.replicas import Replicas
from rouse.kube.objects import Key, Object
from tests.unit.knative.activating import deployment
from tests.unit.knative.harness import FakeClock, MemoryNode

KEY = Key("default", "iris-00001-deployment")


@pytest.fixture
def node() -> MemoryNode:
    return MemoryNode(auto=False)


@pytest.fixture
def replicas(node: MemoryNode) -> Replicas:
    made = Replicas(node)
    made.track(deployment())
    return made


def record(replicas: Replicas, name: Key, **metadata: object) -> Object:
    """Have the API's record of a pod come by."""
    [replica] = [one for one in replicas.all(KEY) if one.key == name]
    pod = deepcopy(replica.pod)
    pod["metadata"] |= {"uid": "u", **metadata}
    replicas.observe_pod(pod)
    return pod


def test_names_are_as_kubernetes_gives_them(replicas: Replicas, node: MemoryNode) -> None:
    replicas.scale_to(KEY, 2)
    for key in node.launched:
        rest = key.name.removeprefix("iris-00001-deployment-")
        hashed, suffix = rest.split("-")
        assert (len(hashed), len(suffix)) == (10, 5)
        assert set(hashed + suffix) <= set(POD_SUFFIX_ALPHABET)
    assert len({key.name for key in node.launched}) == 2


def test_scaling_twice_to_the_same_launches_once(replicas: Replicas, node: MemoryNode) -> None:
    replicas.scale_to(KEY, 2)
    replicas.scale_to(KEY, 2)
    assert len(node.launched) == 2
    assert replicas.wanted(KEY) == 2


def test_a_pod_that_admission_completes_is_launched_by_its_record(node: MemoryNode) -> None:
    asking = deployment()
    asked = {"internal.serving.kserve.io/storage-initializer-sourceuri": "s3://b/m"}
    asking["spec"]["template"]["metadata"]["annotations"] = asked
    replicas = Replicas(node)
    replicas.track(asking)
    replicas.scale_to(KEY, 1)
    assert not node.launched
    [replica] = replicas.all(KEY)
    assert not replica.recorded
    assert not replica.ready
    assert replicas.failure(KEY) is None


def test_a_pod_that_a_quota_may_refuse_waits_for_its_record_and_the_refusal_is_kept(
    node: MemoryNode,
) -> None:
    replicas = Replicas(node, has_quota=lambda namespace: namespace == KEY.namespace)
    replicas.track(deployment())
    replicas.scale_to(KEY, 1)
    assert not node.launched
    [first] = replicas.all(KEY)
    replicas.refuse(KEY, first.key, "exceeded quota: team")
    # Another takes its place; until the API takes one, why none is there stays known.
    replicas.balance(KEY)
    [second] = replicas.all(KEY)
    assert second is not first
    problem = replicas.problem(KEY)
    assert problem is not None
    assert (problem.reason, problem.message) == ("FailedCreate", "exceeded quota: team")
    replicas.accepted(KEY, second)
    assert replicas.problem(KEY) is None


def test_a_pod_carries_its_owner_and_its_node(replicas: Replicas) -> None:
    replicas.scale_to(KEY, 1)
    [replica] = replicas.all(KEY)
    [owner] = replica.pod["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("Deployment", KEY.name, True)
    assert replica.pod["spec"]["nodeName"] == "rouse-local"


def test_only_ready_ones_are_endpoints(replicas: Replicas, node: MemoryNode) -> None:
    replicas.scale_to(KEY, 2)
    node.become_ready(node.launched[0])
    assert replicas.endpoints(KEY) == {("127.0.0.1", node.pods[node.launched[0]].port)}


def test_unready_and_then_newest_go_first(replicas: Replicas, node: MemoryNode) -> None:
    replicas.scale_to(KEY, 4)
    first, second, third, fourth = node.launched
    for key in (first, second, fourth):
        node.become_ready(key)
    replicas.scale_to(KEY, 2)
    staying = [one.key for one in replicas.all(KEY) if not one.retiring]
    assert staying == [first, second]
    assert {one.key for one in replicas.all(KEY) if one.retiring} == {third, fourth}


def test_a_retiring_one_is_not_called_back(replicas: Replicas, node: MemoryNode) -> None:
    replicas.scale_to(KEY, 1)
    replicas.scale_to(KEY, 0)
    replicas.scale_to(KEY, 1)
    assert len(node.launched) == 2


def test_a_pod_marked_for_deletion_is_replaced_at_once(
    replicas: Replicas, node: MemoryNode
) -> None:
    replicas.scale_to(KEY, 1)
    [first] = node.launched
    record(replicas, first, deletionTimestamp="2026-11-21T08:00:00Z")
    assert len(node.launched) == 2
    assert [one.key for one in replicas.all(KEY) if one.retiring] == [first]


def test_a_pod_that_vanished_is_replaced(replicas: Replicas, node: MemoryNode) -> None:
    replicas.scale_to(KEY, 1)
    [first] = node.launched
    pod = record(replicas, first)
    replicas.observe_pod(pod, deleted=True)
    assert len(node.launched) == 2


def test_pods_of_before_a_restart_are_taken_over(node: MemoryNode) -> None:
    before = Replicas(node)
    before.track(deployment(replicas=1))
    before.balance(KEY)
    [pod] = [one.pod for one in before.all(KEY)]

    after = Replicas(node)
    after.track(deployment(replicas=1))
    after.observe_pod(pod)
    after.balance(KEY)
    assert len(node.launched) == 1
    node.become_ready(node.launched[0])
    assert len(after.endpoints(KEY)) == 1


def test_a_new_template_replaces_when_the_new_one_is_ready(
    replicas: Replicas, node: MemoryNode
) -> None:
    replicas.scale_to(KEY, 1)
    [old] = node.launched
    node.become_ready(old)
    changed = deployment(replicas=1)
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = "y"
    replicas.track(changed)
    [_, new] = node.launched
    assert len(replicas.endpoints(KEY)) == 1
    node.become_ready(new)
    assert [one.key for one in replicas.all(KEY) if one.retiring] == [old]


def test_strangers_are_left_alone(replicas: Replicas) -> None:
    replicas.observe_pod({"metadata": {"name": "other", "namespace": "default"}})
    assert replicas.all(KEY) == []


def test_a_failure_is_told_only_when_nobody_may_still_come(
    replicas: Replicas, node: MemoryNode
) -> None:
    replicas.scale_to(KEY, 2)
    node.crash(node.launched[0], 5, "boom")
    assert replicas.failure(KEY) is None
    problem = replicas.problem(KEY)
    assert problem is not None
    assert problem.message == "boom"
    node.crash(node.launched[1], 5, "boom")
    assert replicas.failure(KEY) is not None


def test_listeners_hear_of_every_change_once(replicas: Replicas, node: MemoryNode) -> None:
    heard: list[Key] = []
    replicas.on_change(heard.append)
    replicas.scale_to(KEY, 1)
    replicas.balance(KEY)
    replicas.balance(KEY)
    assert heard == [KEY]
    node.become_ready(node.launched[0])
    assert len(heard) == 2


def test_forgetting_returns_what_was_left(replicas: Replicas, node: MemoryNode) -> None:
    replicas.scale_to(KEY, 1)
    [left] = replicas.forget(KEY)
    assert left.key == node.launched[0]
    assert not replicas.known(KEY)
    replicas.scale_to(KEY, 3)
    assert len(node.launched) == 1


@pytest.mark.parametrize(
    ("min_ready_s", "ready_s", "available", "left_s"),
    [
        (0, 0.0, 1, None),
        (10, 0.0, 0, 10.0),
        (10, 9.0, 0, 1.0),
        (10, 10.0, 1, None),
    ],
)
def test_a_replica_is_available_once_it_was_ready_for_long_enough(
    node: MemoryNode, min_ready_s: int, ready_s: float, available: int, left_s: float | None
) -> None:
    clock = FakeClock()
    replicas = Replicas(node, now=clock.now)
    asking = deployment(replicas=1)
    asking["spec"]["minReadySeconds"] = min_ready_s
    replicas.track(asking)
    replicas.balance(KEY)
    clock.pass_(100)
    node.become_ready(node.launched[0])
    clock.pass_(ready_s)
    assert len(replicas.ready(KEY)) == 1
    assert len(replicas.available(KEY)) == available
    assert replicas.available_in_s(KEY) == left_s


def test_a_replica_that_was_unready_is_counted_anew(node: MemoryNode) -> None:
    clock = FakeClock()
    replicas = Replicas(node, now=clock.now)
    asking = deployment(replicas=1)
    asking["spec"]["minReadySeconds"] = 10
    replicas.track(asking)
    replicas.balance(KEY)
    [pod] = node.launched
    node.become_ready(pod)
    clock.pass_(10)
    node.change(pod, ready=False)
    assert not replicas.available(KEY)
    assert replicas.available_in_s(KEY) is None
    node.change(pod, ready=True)
    assert replicas.available_in_s(KEY) == 10


def test_a_rolling_update_waits_for_what_was_ready_for_long_enough(node: MemoryNode) -> None:
    clock = FakeClock()
    replicas = Replicas(node, now=clock.now)
    former = deployment(replicas=1)
    former["spec"]["minReadySeconds"] = 10
    replicas.track(former)
    replicas.balance(KEY)
    node.become_ready(node.launched[0])
    clock.pass_(10)
    changed = deepcopy(former)
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = "y"
    replicas.track(changed)
    first, second = node.launched
    node.become_ready(second)
    clock.pass_(9)
    replicas.balance(KEY)
    assert not replicas.is_retiring(first)
    clock.pass_(1)
    replicas.balance(KEY)
    assert replicas.is_retiring(first)
