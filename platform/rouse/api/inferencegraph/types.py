"""InferenceGraph, serving.kserve.io/v1alpha1."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rouse.api.base import Model, Object, Strings, atomic
from rouse.api.meta import Condition, Named, ObjectMeta
from rouse.api.pods.containers import ResourceRequirements
from rouse.api.pods.pod import Affinity, Toleration

__all__ = [
    "MAX_NODES",
    "MAX_STEPS",
    "ROOT",
    "InferenceGraph",
    "InferenceGraphSpec",
    "InferenceGraphStatus",
    "Node",
    "RouterTimeouts",
    "Step",
]

ROOT = "root"
"""The node where every request starts."""

MAX_NODES = 100
MAX_STEPS = 100
"""Bounds that keep the rules of the definition within the API server's budget for them."""

Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
Seconds = Annotated[int, Field(ge=0)]
Text = Annotated[str, Field(min_length=1)]


class Step(Model):
    """One call of a node; it names exactly one of serviceName, serviceUrl and nodeName."""

    name: str | None = None
    """Unique in its node; in an Ensemble, the key of this step's answer."""
    service_name: Text | None = None
    """An InferenceService of the same namespace."""
    service_url: Text | None = None
    """The URL to call, http:// or https://."""
    node_name: Text | None = None
    """Another node of this graph, called as if it were a service."""
    data: Literal["$request", "$response"] | None = None
    """In a Sequence: $request sends what the node was given, $response what the step before
    answered. $request when not given."""
    weight: Annotated[int, Field(ge=0, le=100)] | None = None
    """In a Splitter: percent of the requests that this step gets; they add up to 100."""
    condition: str | None = None
    """A gjson path into the request: a Switch takes the first step whose path finds something;
    a Sequence ends at a step whose path finds nothing."""
    dependency: Literal["Soft", "Hard"] | None = None
    """Hard: when this step fails the whole request fails with its answer. Soft, the default, does
    not stop the others."""
    map_predictions_to_instances: bool | None = None
    """In a Sequence: rename the field predictions of the answer before to instances."""


class Node(Model):
    """A router and the steps it chooses among."""

    router_type: Literal["Sequence", "Splitter", "Ensemble", "Switch"]
    """Sequence: one step after the other. Splitter: one step by weight. Ensemble: all at once,
    answers merged. Switch: the first step whose condition holds."""
    steps: Annotated[list[Step] | None, Field(max_length=MAX_STEPS), atomic()] = None
    """The steps in their order."""


class RouterTimeouts(Model):
    """Time limits of the router in seconds; 0 or nothing means none."""

    server_read: Seconds | None = None
    """Seconds to read a request."""
    server_write: Seconds | None = None
    """Seconds to write an answer."""
    server_idle: Seconds | None = None
    """Seconds an idle connection is kept."""
    service_client: Seconds | None = None
    """Seconds one call of a service may take."""


class InferenceGraphSpec(Model):
    """Several services behind one URL."""

    nodes: Annotated[dict[str, Node], Field(min_length=1, max_length=MAX_NODES)]
    """The nodes by name; every request starts at the node root."""
    min_replicas: Count | None = None
    """Replicas of the router at least; 0 lets it sleep. 1 when not given."""
    max_replicas: Count | None = None
    """Replicas of the router at most; 0 or nothing means no limit."""
    scale_target: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    """The value of scaleMetric that one replica of the router should see."""
    scale_metric: Literal["cpu", "memory", "concurrency", "rps"] | None = None
    """What the router is scaled on; concurrency when not given."""
    timeout: Seconds | None = None
    """Seconds a request may take through the whole graph."""
    router_timeouts: RouterTimeouts | None = None
    resources: ResourceRequirements | None = None
    """What the router asks for and may use at most."""
    affinity: Affinity | None = None
    tolerations: Annotated[list[Toleration] | None, atomic()] = None
    """The taints of nodes that the router accepts."""
    node_selector: Strings | None = None
    """Labels that the router's machine must have."""
    node_name: str | None = None
    """The machine that the router runs on; only in the mode Standard."""
    service_account_name: str | None = None
    """The ServiceAccount that the router runs as."""


class InferenceGraphStatus(Model):
    """What was observed of an InferenceGraph."""

    observed_generation: int | None = None
    """The generation of the spec that this status is about."""
    conditions: list[Condition] | None = None
    """Ready, and what it depends on."""
    url: str | None = None
    """Where clients reach the graph."""
    annotations: Strings | None = None
    """Facts about the status for other programs."""
    deployment_mode: str | None = None
    """How the router runs: Knative or Standard."""


class InferenceGraph(Named, Model):
    """Routes a request through several InferenceServices."""

    api_version: Literal["serving.kserve.io/v1alpha1"]
    kind: Literal["InferenceGraph"]
    metadata: ObjectMeta
    spec: InferenceGraphSpec
    status: Object | None = None
    """What was observed; typed in `InferenceGraphStatus`, read here as it is."""
