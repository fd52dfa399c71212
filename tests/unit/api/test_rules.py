"""Whatever the rules in the definitions refuse, admission refuses too, at the same field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from rouse.api.admission import review
from rouse.api.crds import make_crds
from rouse.api.inferenceservice.types import FRAMEWORKS
from rouse.api.rules import RULES
from rouse.errors import ValidationError
from tests.unit.api.kinds import REMOVED, SPECS, of_kind


@dataclass(frozen=True)
class Example:
    """A change that breaks one rule; ``path`` is where admission finds it."""

    kind: str
    message: str
    changes: tuple[tuple[str, Any], ...]
    path: str
    update: bool = False


BOUNDS = "maxReplicas is less than minReplicas"
UNLIKE = {"minReplicas": 3, "maxReplicas": 2}

EXAMPLES = (
    Example(
        "InferenceService",
        BOUNDS,
        (("predictor.minReplicas", 3), ("predictor.maxReplicas", 2)),
        "spec.predictor.maxReplicas",
    ),
    Example(
        "InferenceService",
        BOUNDS,
        (("transformer", {"containers": [{"name": "t", "image": "i"}], **UNLIKE}),),
        "spec.transformer.maxReplicas",
    ),
    Example(
        "InferenceService",
        BOUNDS,
        (("explainer", {"containers": [{"name": "e", "image": "i"}], **UNLIKE}),),
        "spec.explainer.maxReplicas",
    ),
    Example(
        "InferenceService",
        "names nothing to serve",
        (("predictor", {"minReplicas": 1}),),
        "spec.predictor",
    ),
    Example("InferenceService", "has several models", (("predictor.onnx", {}),), "spec.predictor"),
    Example(
        "InferenceService",
        "has several models",
        (("predictor", {"onnx": {}, "sklearn": {}}),),
        "spec.predictor",
    ),
    Example(
        "InferenceGraph",
        BOUNDS,
        (("minReplicas", 3), ("maxReplicas", 2)),
        "spec.maxReplicas",
    ),
    Example(
        "InferenceGraph",
        "has no node named root",
        (("nodes.root", REMOVED),),
        "spec.nodes",
    ),
    Example(
        "InferenceGraph",
        "a step names a node that is not there",
        (("nodes.root.steps.1.nodeName", "m"),),
        "spec.nodes.root.steps[1].nodeName",
    ),
    Example("InferenceGraph", "has no steps", (("nodes.n.steps", []),), "spec.nodes.n.steps"),
    Example("InferenceGraph", "has no steps", (("nodes.n.steps", REMOVED),), "spec.nodes.n.steps"),
    Example(
        "InferenceGraph",
        "the weights of a Splitter's steps",
        (("nodes.n.steps.0.weight", 31),),
        "spec.nodes.n.steps",
    ),
    Example(
        "InferenceGraph",
        "the weights of a Splitter's steps",
        (("nodes.n.steps.0.weight", REMOVED), ("nodes.n.steps.1.weight", 100)),
        "spec.nodes.n.steps[0].weight",
    ),
    Example(
        "InferenceGraph",
        "every step of a Switch needs a condition",
        (("nodes.root.routerType", "Switch"), ("nodes.root.steps.0.condition", "a")),
        "spec.nodes.root.steps[1].condition",
    ),
    Example(
        "InferenceGraph",
        "give exactly one of serviceName",
        (("nodes.root.steps.1.serviceName", "b"),),
        "spec.nodes.root.steps[1]",
    ),
    Example(
        "InferenceGraph",
        "give exactly one of serviceName",
        (("nodes.root.steps.0", {"name": "x"}),),
        "spec.nodes.root.steps[0]",
    ),
    Example(
        "TrainedModel",
        "memory cannot change",
        (("model.memory", "2Gi"),),
        "spec.model.memory",
        update=True,
    ),
    Example(
        "TrainedModel",
        "memory cannot change",
        (("model.memory", 1),),
        "spec.model.memory",
        update=True,
    ),
    Example(
        "ClusterStorageContainer",
        "give exactly one of prefix and regex",
        (("supportedUriFormats.1.prefix", "a"),),
        "spec.supportedUriFormats[1]",
    ),
    Example(
        "ClusterStorageContainer",
        "give exactly one of prefix and regex",
        (("supportedUriFormats.0", {}),),
        "spec.supportedUriFormats[0]",
    ),
    *(
        Example(
            kind,
            "sourceModelUri cannot change",
            (("sourceModelUri", "hf://o/n"),),
            "spec.sourceModelUri",
            update=True,
        )
        for kind in ("LocalModelCache", "LocalModelNamespaceCache")
    ),
    Example(
        "LocalModelNodeGroup",
        "give exactly one source",
        (("persistentVolumeSpec.local", REMOVED),),
        "spec.persistentVolumeSpec",
    ),
    Example(
        "LocalModelNodeGroup",
        "give exactly one source",
        (("persistentVolumeSpec.hostPath", {"path": "/m"}),),
        "spec.persistentVolumeSpec",
    ),
)


@pytest.mark.parametrize("kind", SPECS)
def test_a_good_object_is_let_in(kind: str) -> None:
    good = of_kind(kind)
    assert review(good, of_kind(kind)) == of_kind(kind)


LET_IN: tuple[tuple[str, tuple[tuple[str, Any], ...]], ...] = (
    # No limit is no bound.
    ("InferenceService", (("predictor.minReplicas", 3), ("predictor.maxReplicas", 0))),
    ("InferenceService", (("predictor", {"sklearn": {"storageUri": "s3://b/m"}}),)),
    ("InferenceService", (("predictor", {"containers": [{"name": "c", "image": "i"}]}),)),
    ("InferenceGraph", (("minReplicas", 3), ("maxReplicas", 3))),
    # Weights and conditions mean nothing to the other routers.
    ("InferenceGraph", (("nodes.n.routerType", "Ensemble"), ("nodes.n.steps.0.weight", 1))),
    ("LocalModelNodeGroup", (("persistentVolumeSpec", {"hostPath": {"path": "/m"}}),)),
)


@pytest.mark.parametrize(("kind", "changes"), LET_IN)
def test_rules_mean_no_more_than_they_say(kind: str, changes: tuple[tuple[str, Any], ...]) -> None:
    review(of_kind(kind, *changes))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: f"{e.kind}-{e.path}")
def test_what_a_rule_refuses_admission_refuses_at_its_field(example: Example) -> None:
    old = of_kind(example.kind) if example.update else None
    with pytest.raises(ValidationError) as caught:
        review(of_kind(example.kind, *example.changes), old)
    assert example.path in {error.path for error in caught.value.errors}


def test_what_cannot_change_can_be_created() -> None:
    for example in EXAMPLES:
        if example.update:
            review(of_kind(example.kind, *example.changes))


def test_every_rule_has_an_example() -> None:
    for kind, rules in RULES.items():
        shown = [example for example in EXAMPLES if example.kind == kind]
        for rule in rules:
            assert any(rule.message.startswith(example.message) for example in shown), rule


def test_every_rule_is_in_its_definition() -> None:
    crds = make_crds()
    for kind, rules in RULES.items():
        text = str(crds[f"{kind.lower()}s.serving.kserve.io"])
        for rule in rules:
            assert rule.message in text
            assert rule.message[0].islower() or rule.message.startswith("maxReplicas")


def test_what_was_given_is_named() -> None:
    crd = make_crds()["inferenceservices.serving.kserve.io"]
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    validations = spec["properties"]["predictor"]["x-kubernetes-validations"]
    [several] = [each for each in validations if each["message"].startswith("has several models")]
    for name in ("model", *FRAMEWORKS):
        assert f"(has(self.{name}) ? ' {name}' : '')" in several["messageExpression"]
