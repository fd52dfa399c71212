"""The rules that the API server itself checks: CEL, in the definitions (x-kubernetes-validations).

They are a part of what `rouse.api.admission` checks, for clusters where the webhook is away. Rules
that need metadata, URLs, gjson paths, circles or unique names are admission's alone. The embedded
API server does not evaluate CEL: its admission says the same, and more, of every object.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rouse.api.base import Object
from rouse.api.inferenceservice.types import FRAMEWORKS
from rouse.api.localmodelnodegroup.volumes import VOLUME_SOURCES

__all__ = ["RULES", "Rule", "add_rules"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of one place in a schema."""

    at: str
    """The place, such as ``spec.nodes.*.steps[]``: ``*`` is any key, ``[]`` any item."""
    cel: str
    """An expression that is true for a good value: ``self``, and ``oldSelf`` on an update."""
    message: str
    """What is wrong and what to do."""
    told: str = ""
    """An expression of a message that names what was given; `message` where it fails."""


def add_rules(schema: Object, kind: str) -> None:
    """Put the rules of a kind where they belong in its schema."""
    for rule in RULES.get(kind, ()):
        place = _place(schema, rule.at)
        validations = place.setdefault("x-kubernetes-validations", [])
        validation = {"rule": rule.cel, "message": rule.message}
        if rule.told:
            validation["messageExpression"] = rule.told
        validations.append(validation)


def _place(schema: Object, path: str) -> Object:
    for part in re.findall(r"\[\]|[^.\[\]]+", path):
        match part:
            case "[]":
                schema = schema["items"]
            case "*":
                schema = schema["additionalProperties"]
            case _:
                schema = schema["properties"][part]
    return schema


def _given(names: tuple[str, ...]) -> str:
    return "[" + ", ".join(f"has(self.{name})" for name in names) + "]"


def _one_of(at: str, names: tuple[str, ...], message: str) -> Rule:
    return Rule(at, f"{_given(names)}.exists_one(given, given)", message)


def _bounds(at: str) -> Rule:
    return Rule(
        at,
        "!has(self.minReplicas) || !has(self.maxReplicas) || self.maxReplicas == 0"
        " || self.minReplicas <= self.maxReplicas",
        "maxReplicas is less than minReplicas; raise maxReplicas, or set it to 0 for no limit",
    )


def _inference_service() -> Iterator[Rule]:
    for part in ("predictor", "transformer", "explainer"):
        yield _bounds(f"spec.{part}")
    models = ("model", *FRAMEWORKS)
    # Of these the API server knows that they are cheap; of filter and join it does not.
    named = " + ".join(f"(has(self.{model}) ? ' {model}' : '')" for model in models)
    yield Rule(
        "spec.predictor",
        f"{_given((*models, 'containers'))}.exists(given, given)",
        "names nothing to serve; give model (modelFormat and storageUri), or containers",
    )
    yield Rule(
        "spec.predictor",
        f"{_given(models)}.filter(given, given).size() <= 1",
        "has several models; keep exactly one of model and the blocks named after frameworks",
        f"'has several models; keep exactly one of these:' + {named}",
    )


def _inference_graph() -> Iterator[Rule]:
    unknown = "has(s.nodeName) && !(s.nodeName in self.nodes)"
    missing = (
        "self.nodes.filter(n, has(self.nodes[n].steps)"
        f" && self.nodes[n].steps.exists(s, {unknown}))"
        f".map(n, self.nodes[n].steps.filter(s, {unknown})[0].nodeName)[0]"
    )
    yield _bounds("spec")
    yield Rule(
        "spec.nodes",
        "'root' in self",
        "has no node named root, where every request starts; name the first node root",
    )
    yield Rule(
        "spec",
        "self.nodes.all(n, !has(self.nodes[n].steps) || self.nodes[n].steps.all(s,"
        " !has(s.nodeName) || s.nodeName in self.nodes))",
        "a step names a node that is not there; nodeName must be a key of spec.nodes",
        f"'a step names the node ' + {missing} + ', which is not there; nodeName must be a key of"
        " spec.nodes'",
    )
    yield Rule(
        "spec.nodes.*",
        "has(self.steps) && self.steps.size() > 0",
        "has no steps; give at least one",
    )
    yield Rule(
        "spec.nodes.*",
        "self.routerType != 'Splitter' || !has(self.steps) || self.steps.size() == 0"
        " || (self.steps.all(s, has(s.weight))"
        " && self.steps.map(s, has(s.weight) ? s.weight : 0).sum() == 100)",
        "the weights of a Splitter's steps must be given and add up to 100",
    )
    yield Rule(
        "spec.nodes.*",
        "self.routerType != 'Switch' || !has(self.steps) || self.steps.all(s, has(s.condition))",
        "every step of a Switch needs a condition, a gjson path into the request",
    )
    yield _one_of(
        "spec.nodes.*.steps[]",
        ("serviceName", "serviceUrl", "nodeName"),
        "give exactly one of serviceName, serviceUrl and nodeName",
    )


_CACHE = (
    Rule(
        "spec.sourceModelUri",
        "self == oldSelf",
        "sourceModelUri cannot change: replicas use the copies; create another cache for the new"
        " model and delete this one when it is unused",
    ),
)

RULES: Mapping[str, tuple[Rule, ...]] = {
    "InferenceService": tuple(_inference_service()),
    "InferenceGraph": tuple(_inference_graph()),
    "TrainedModel": (
        Rule(
            "spec.model.memory",
            # A quantity is a number or text.
            "string(self) == string(oldSelf)",
            "memory cannot change: the place of a loaded model stays as large as it is; delete the"
            " TrainedModel and create it again",
        ),
    ),
    "ClusterStorageContainer": (
        _one_of(
            "spec.supportedUriFormats[]",
            ("prefix", "regex"),
            "give exactly one of prefix and regex",
        ),
    ),
    "LocalModelCache": _CACHE,
    "LocalModelNamespaceCache": _CACHE,
    "LocalModelNodeGroup": (
        _one_of(
            "spec.persistentVolumeSpec",
            VOLUME_SOURCES,
            "give exactly one source, such as local (path) or hostPath (path)",
        ),
    ),
}
