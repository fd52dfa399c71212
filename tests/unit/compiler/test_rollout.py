"""Canary, promotion and roll back, step by step against a Knative of a few lines."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rouse.compiler import Compiled, Config, Observed, RuntimeSet, compile_object

Object = dict[str, Any]

NOW = datetime(2026, 1, 2, tzinfo=UTC)
RUNTIMES = RuntimeSet.of(
    [
        yaml.safe_load(
            """
            apiVersion: serving.kserve.io/v1alpha1
            kind: ClusterServingRuntime
            metadata: {name: r}
            spec:
              supportedModelFormats: [{name: sklearn, autoSelect: true}]
              containers: [{name: kserve-container, image: i}]
            """
        )
    ]
)


class Knative:
    """Makes a revision for each new template; tests say which become ready or fail."""

    def __init__(self) -> None:
        self.service: Object | None = None
        self.revisions: dict[str, Object] = {}

    def write(self, wanted: Object) -> None:
        before, self.service = self.service, copy.deepcopy(wanted)
        status = copy.deepcopy(before["status"]) if before else {"conditions": []}
        generation = before["metadata"]["generation"] if before else 0
        changed = before is None or before["spec"] != wanted["spec"]
        self.service["metadata"]["generation"] = generation + changed
        self.service["status"] = status
        for target in wanted["spec"]["traffic"]:
            assert target.get("revisionName", "") in {"", *self.revisions}, "no such revision"

    def reconcile(self) -> None:
        assert self.service is not None
        status, template = self.service["status"], self.service["spec"]["template"]
        created = status.get("latestCreatedRevisionName")
        annotations = template["metadata"]["annotations"]
        if created is None or self.revisions[created]["metadata"]["annotations"] != annotations:
            created = f"iris-predictor-{len(self.revisions) + 1:05d}"
            self.revisions[created] = {
                "metadata": {"name": created, "annotations": annotations},
                "status": {"conditions": [{"type": "Ready", "status": "Unknown"}]},
            }
            status["latestCreatedRevisionName"] = created
        status["observedGeneration"] = self.service["metadata"]["generation"]
        self._conclude()

    def finish(self, status: str = "True") -> None:
        """The latest revision becomes ready, or fails."""
        assert self.service is not None
        created = self.service["status"]["latestCreatedRevisionName"]
        conditions = [{"type": "Ready", "status": status, "reason": "R", "message": "the log"}]
        self.revisions[created]["status"]["conditions"] = conditions
        if status == "True":
            self.service["status"]["latestReadyRevisionName"] = created
        self._conclude()

    def _conclude(self) -> None:
        assert self.service is not None
        created = self.service["status"]["latestCreatedRevisionName"]
        latest = self.revisions[created]["status"]["conditions"][0]["status"]
        self.service["status"]["conditions"] = [
            {"type": "Ready", "status": latest},
            {"type": "ConfigurationsReady", "status": latest},
            {"type": "RoutesReady", "status": "True"},
        ]


class World:
    """One InferenceService, its controller and Knative."""

    def __init__(self) -> None:
        self.knative = Knative()
        self.virtual_service: Object | None = None
        self.status: Object = {}
        self.isvc: Object = {}
        self.generation = 0
        self.events: list[str] = []
        self.pods: list[Object] = []

    def apply(self, model: str, canary: int | None = None) -> None:
        self.generation += 1
        predictor: Object = {
            "model": {"modelFormat": {"name": "sklearn"}, "storageUri": f"gs://b/{model}"}
        }
        if canary is not None:
            predictor["canaryTrafficPercent"] = canary
        self.isvc = {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {"name": "iris", "uid": "u", "generation": self.generation},
            "spec": {"predictor": predictor},
        }

    def compile(self) -> Compiled:
        service = self.knative.service
        return compile_object(
            self.isvc,
            runtimes=RUNTIMES,
            config=Config(),
            observed=Observed(
                knative_services={} if service is None else {"iris-predictor": service},
                revisions=self.knative.revisions,
                pods=self.pods,
                virtual_service=self.virtual_service,
                previous_status=self.status,
            ),
            now=NOW,
        )

    def reconcile(self) -> None:
        """The controller runs until it has nothing more to write, and so does Knative."""
        for _ in range(6):
            compiled = self.compile()
            service, _, *routes = compiled.objects
            self.knative.write(service)
            self.knative.reconcile()
            self.virtual_service = routes[0] if routes else None
            self.status = compiled.status
            self.events += [event.reason for event in compiled.events]

    def step(self, model: str, canary: int | None = None, finish: str = "True") -> None:
        self.apply(model, canary)
        self.reconcile()
        self.knative.finish(finish)
        self.reconcile()

    @property
    def weights(self) -> dict[str, int]:
        assert self.virtual_service is not None
        [http] = self.virtual_service["spec"]["http"]
        return {
            each["headers"]["request"]["set"]["Knative-Serving-Revision"][-1]: each["weight"]
            for each in http["route"]
        }

    @property
    def traffic(self) -> list[tuple[str, int]]:
        """The Knative Service's own split, by revision."""
        assert self.knative.service is not None
        ready = self.knative.service["status"]["latestReadyRevisionName"]
        return [
            (each.get("revisionName", ready)[-1], each["percent"])
            for each in self.knative.service["spec"]["traffic"]
        ]

    def condition(self, type_: str) -> str:
        return next(str(c["status"]) for c in self.status["conditions"] if c["type"] == type_)


def test_nothing_is_routed_until_the_first_revision_is_ready() -> None:
    world = World()
    world.apply("m1")
    world.reconcile()
    assert world.virtual_service is None
    assert world.condition("Ready") == "Unknown"
    world.knative.finish()
    world.reconcile()
    assert world.weights == {"1": 100}
    assert world.condition("Ready") == "True"
    assert world.events == ["RolledOut", "InferenceServiceReady"]


def test_a_model_that_does_not_load_is_told_before_knative_gives_up() -> None:
    """Knative says "Deploying" for ten minutes while a container ends again and again."""
    world = World()
    world.step("m1")
    world.apply("broken", canary=20)
    world.reconcile()
    assert world.condition("LatestDeploymentReady") == "Unknown"
    last = {"exitCode": 1, "message": "it is no model"}
    looping = {
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": last},
    }
    trying = {"state": {"running": {}}, "lastState": {"terminated": last}}
    for container in (looping, trying, looping):
        labels = {"serving.knative.dev/revision": "iris-predictor-00002"}
        containers = [{"name": "kserve-container", **container}]
        metadata = {"name": "p", "labels": labels}
        world.pods = [{"metadata": metadata, "status": {"containerStatuses": containers}}]
        world.reconcile()
        found = next(
            each for each in world.status["conditions"] if each["type"] == "LatestDeploymentReady"
        )
        assert (found["status"], found["reason"]) == ("False", "ModelLoadFailed")
        assert found["message"] == "it is no model"
        assert world.condition("Ready") == "False"
        assert world.weights == {"1": 100}


def test_a_first_revision_takes_all_whatever_the_percent() -> None:
    world = World()
    world.step("m1", canary=10)
    assert world.weights == {"1": 100}


def test_canary_then_promotion() -> None:
    world = World()
    world.step("m1")
    world.apply("m2", canary=20)
    world.reconcile()
    assert world.weights == {"1": 100}, "the canary is not ready yet"
    world.knative.finish()
    world.reconcile()
    assert world.weights == {"2": 20, "1": 80}
    assert world.traffic == [("2", 20), ("1", 80)]
    world.apply("m2", canary=50)
    world.reconcile()
    assert world.weights == {"2": 50, "1": 50}
    world.apply("m2")
    world.reconcile()
    assert world.weights == {"2": 100}
    assert world.traffic == [("2", 100)]
    predictor = world.status["components"]["predictor"]
    assert predictor["latestRolledoutRevision"].endswith("2")
    assert predictor["previousRolledoutRevision"].endswith("1")


def test_canary_then_roll_back_then_forward_again() -> None:
    world = World()
    world.step("m1")
    world.step("m2", canary=20)
    world.apply("m2", canary=0)
    world.reconcile()
    assert world.weights == {"1": 100}
    assert world.traffic == [("2", 0), ("1", 100)]
    world.apply("m2", canary=30)
    world.reconcile()
    assert world.weights == {"2": 30, "1": 70}


def test_roll_back_after_promotion_goes_to_the_revision_before() -> None:
    world = World()
    world.step("m1")
    world.step("m2")
    world.apply("m2", canary=0)
    world.reconcile()
    assert world.weights == {"1": 100}
    world.reconcile()
    assert world.weights == {"1": 100}, "it stays there"
    world.apply("m2")
    world.reconcile()
    assert world.weights == {"2": 100}


def test_a_canary_applied_together_with_its_model_never_rolls_back() -> None:
    world = World()
    world.step("m1")
    world.step("m2")
    world.apply("m3", canary=10)
    for _ in range(3):
        compiled = world.compile()
        assert "1 " not in str([e.message for e in compiled.events])
        world.reconcile()
        assert world.weights == {"2": 100}
    world.knative.finish()
    world.reconcile()
    assert world.weights == {"3": 10, "2": 90}


def test_a_failed_latest_revision_leaves_the_one_before_serving() -> None:
    world = World()
    world.step("m1")
    world.step("broken", finish="False")
    assert world.weights == {"1": 100}
    assert world.condition("LatestDeploymentReady") == "False"
    assert world.condition("Ready") == "False"
    assert world.status["modelStatus"]["transitionStatus"] == "BlockedByFailedLoad"
    world.step("m1")
    assert world.weights == {"3": 100}
    assert world.condition("Ready") == "True"


def test_a_failed_canary_leaves_the_split_before() -> None:
    world = World()
    world.step("m1")
    world.step("m2", canary=20)
    world.step("broken", canary=20, finish="False")
    assert world.weights == {"2": 20, "1": 80}


def test_a_revision_that_is_gone_gets_nothing() -> None:
    world = World()
    world.step("m1")
    world.step("m2", canary=20)
    del world.knative.revisions["iris-predictor-00001"]
    world.reconcile()
    assert world.weights == {"2": 100}


def test_reconciling_again_changes_nothing() -> None:
    world = World()
    world.step("m1")
    world.step("m2", canary=20)
    once = world.compile()
    assert once.events == ()
    assert once.status == world.status
    assert once.encode() == world.compile().encode()


steps: st.SearchStrategy[Iterable[tuple[str, int | None, str]]] = st.lists(
    st.tuples(
        st.sampled_from(["m1", "m2", "m3"]),
        st.none() | st.integers(0, 100),
        st.sampled_from(["True", "True", "False", "Unknown"]),
    ),
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(steps)
def test_whatever_is_done_all_requests_go_to_revisions_that_were_ready(
    steps: Iterable[tuple[str, int | None, str]],
) -> None:
    world = World()
    was_ready: set[str] = set()
    for model, canary, finish in steps:
        world.step(model, canary, finish)
        assert world.knative.service is not None
        was_ready.add(world.knative.service["status"].get("latestReadyRevisionName", "")[-1:])
        if world.virtual_service is not None:
            assert sum(world.weights.values()) == 100
            assert set(world.weights) <= was_ready
        assert sum(each["percent"] for each in world.knative.service["spec"]["traffic"]) == 100
        assert world.compile().status == world.status, "it has come to rest"
