"""The status of an InferenceService, as far as Rouse writes it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rouse.api.base import Model, Strings, atomic, keyed_by
from rouse.api.meta import Condition

__all__ = ["InferenceServiceStatus"]

ModelState = Literal["", "Pending", "Standby", "Loading", "Loaded", "FailedToLoad"]


class Addressable(Model):
    """Where something is reached inside the cluster."""

    name: str | None = None
    url: str | None = None
    ca_certs: Annotated[str | None, Field(alias="CACerts")] = None
    audience: str | None = None


class TrafficTarget(Model):
    """A share of the requests and the revision that gets it."""

    revision_name: str | None = None
    configuration_name: str | None = None
    latest_revision: bool | None = None
    percent: int | None = None
    tag: str | None = None
    url: str | None = None


class ComponentStatus(Model):
    """The revisions of a component and how requests are shared between them."""

    latest_created_revision: str | None = None
    latest_ready_revision: str | None = None
    latest_rolledout_revision: str | None = None
    """The last revision that had all requests."""
    previous_rolledout_revision: str | None = None
    """The revision that had all requests before; a roll back goes there."""
    traffic: list[TrafficTarget] | None = None
    url: str | None = None
    rest_url: str | None = None
    grpc_url: str | None = None
    address: Addressable | None = None


class ModelStates(Model):
    """The state of the model that serves and of the one that shall."""

    active_model_state: ModelState
    target_model_state: ModelState | None = None


class FailureInfo(Model):
    """Why a model or its runtime failed last."""

    location: str | None = None
    reason: (
        Literal[
            "ModelLoadFailed",
            "RuntimeUnhealthy",
            "RuntimeDisabled",
            "NoSupportingRuntime",
            "RuntimeNotRecognized",
            "InvalidPredictorSpec",
        ]
        | None
    ) = None
    message: str | None = None
    model_revision_name: str | None = None
    exit_code: int | None = None
    time: str | None = None


class ModelCopies(Model):
    """Replicas that have loaded the model, and those that failed to."""

    failed_copies: int
    total_copies: int | None = None


class ModelStatus(Model):
    """How far the model that is wanted has come."""

    transition_status: Literal["", "UpToDate", "InProgress", "BlockedByFailedLoad", "InvalidSpec"]
    states: ModelStates | None = None
    last_failure_info: FailureInfo | None = None
    copies: ModelCopies | None = None


class CanaryStatus(Model):
    """How a canary of the mode Standard does."""

    name: str
    """Of its predictor."""
    ready: bool
    """Whether it can take requests."""
    traffic_percent: int
    """Percent of the requests that it gets while it is ready."""
    model_status: ModelStatus | None = None
    """How far its model has come."""


class ColdStart(Model):
    """One wake-up from zero and where its time went."""

    time: str
    """When it began: with the first request that waited, or with the pod (RFC 3339, UTC)."""
    revision: str
    """The revision that woke."""
    total_ms: float
    """Milliseconds from there to the replica being ready, or to its first answer if it is known."""
    phases: dict[str, float] | None = None
    """Milliseconds per phase: queue, node, schedule, pull, container, process, import, fetch, load,
    warmup, ready, answer."""
    pod: str | None = None
    """The pod that woke."""
    trace_id: str | None = None
    """The W3C trace of the request that waited first."""
    unknown: Annotated[list[str] | None, atomic()] = None
    """Phases that nobody could see: they are no part of the whole."""


class ColdStarts(Model):
    """The wake-ups that were written down; quantiles are of the recent ones."""

    last: ColdStart | None = None
    p50_ms: float | None = None
    """The median wake-up in milliseconds."""
    p95_ms: float | None = None
    """Nineteen of twenty wake-ups took at most that many milliseconds."""
    count: int | None = None
    """How many there were since then."""
    dominant_phase: str | None = None
    """The phase that took most of the time."""
    since: str | None = None
    """When counting began (RFC 3339, UTC)."""
    recent: Annotated[list[ColdStart] | None, atomic()] = None
    """The last 32, the newest last."""


class KeepAlive(Model):
    """What was learned of when it is called, and what is done about it."""

    retention_seconds: int | None = None
    """How long its last pods stay after they fell idle; Knative's own where it is not said."""
    period_seconds: int | None = None
    """After how long its requests come again; not there where they do not."""
    next_wake: str | None = None
    """When it is woken next, ahead of requests or by its schedule (RFC 3339, UTC)."""
    awake_until: str | None = None
    """Until when it is kept awake at least (RFC 3339, UTC)."""
    history: str | None = None
    """When it was busy, in minutes since the epoch: begin+length, the last 256 of 28 days."""


class InferenceServiceStatus(Model):
    """What was observed of an InferenceService."""

    observed_generation: int | None = None
    conditions: Annotated[list[Condition] | None, keyed_by("type")] = None
    url: str | None = None
    """Where clients outside the cluster reach it."""
    address: Addressable | None = None
    """Where clients inside the cluster reach it."""
    components: dict[str, ComponentStatus] | None = None
    model_status: ModelStatus | None = None
    canary_statuses: Annotated[list[CanaryStatus] | None, atomic()] = None
    """How the canaries of the mode Standard do."""
    cold_start: ColdStarts | None = None
    """The wake-ups from zero, phase by phase."""
    keep_alive: KeepAlive | None = None
    """Of services with the annotations rouse.dev/keep-alive and rouse.dev/wake-schedule."""
    annotations: Strings | None = None
    deployment_mode: str | None = None
    serving_runtime_name: str | None = None
    cluster_serving_runtime_name: str | None = None
