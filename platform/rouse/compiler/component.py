"""A component (predictor, transformer, explainer) once it is known what its pods are."""

from __future__ import annotations

from dataclasses import dataclass

from rouse.api.base import Object, Strings
from rouse.api.inferenceservice.component import ComponentSpec
from rouse.api.inferenceservice.defaults import MAIN_CONTAINER
from rouse.api.inferenceservice.types import InferenceService
from rouse.api.pods.pod import PodSpec
from rouse.api.servingruntime import RuntimeWorkerSpec
from rouse.compiler.config import Config
from rouse.compiler.metadata import pod_annotations, pod_labels
from rouse.compiler.names import COMPONENT_LABEL, SERVICE_LABEL, component_name
from rouse.compiler.pools import place
from rouse.compiler.runtimes import Runtime

__all__ = [
    "EXPLAINER",
    "PREDICTOR",
    "TRANSFORMER",
    "ResolvedComponent",
    "main_container",
    "pod_fields",
    "resolve",
]

PREDICTOR = "predictor"
TRANSFORMER = "transformer"
EXPLAINER = "explainer"

_POD_FIELDS = tuple(
    field.alias or name for name, field in PodSpec.model_fields.items() if name != "service_account"
)


@dataclass(frozen=True, slots=True)
class ResolvedComponent:
    """What a mode (Knative, Standard) makes objects of."""

    component: str
    """predictor, transformer or explainer."""
    name: str
    """Of its objects: ``<service>-<component>``, shortened where that is too long."""
    spec: ComponentSpec
    """As the user gave it, with defaults: scaling, timeout, canary ..."""
    pod_spec: Object
    """The whole pod: runtime, user's fields, model, node pool."""
    labels: Strings
    """Of its pods."""
    annotations: Strings
    """Of its pods: runtime's < InferenceService's < component's; scaling is the mode's affair."""
    runtime: Runtime | None = None
    workers: ResolvedComponent | None = None
    """The pods on further nodes that serve the model together with these."""
    worker_count: int = 0
    """How many of them there are."""
    canaries: tuple[ResolvedComponent, ...] = ()
    """The predictors of spec.canary, in their order."""


def resolve(
    isvc: InferenceService,
    component: str,
    spec: ComponentSpec,
    pod_spec: Object,
    *,
    config: Config,
    runtime: Runtime | None = None,
    annotations: Strings | None = None,
    workers: RuntimeWorkerSpec | None = None,
) -> ResolvedComponent:
    """Return the component with the labels and annotations of its pods.

    ``annotations`` are those that say how the pod was made; they win over what anybody gave.
    ``workers`` is the part of the runtime that brought the pod, where it is a worker's.
    """
    from_runtime = workers or (runtime.spec if runtime is not None else None)
    siblings = {SERVICE_LABEL: isvc.name, COMPONENT_LABEL: component}
    labels = {
        **((from_runtime and from_runtime.labels) or {}),
        **pod_labels(isvc, config),
        **(spec.labels or {}),
        **siblings,
    }
    merged = {
        **((from_runtime and from_runtime.annotations) or {}),
        **pod_annotations(isvc, config),
        **(spec.annotations or {}),
        **(annotations or {}),
    }
    pod_spec = place(_with_resources(pod_spec, config), merged, config, labels=siblings)
    variant = isvc.spec.predictor.name if component == PREDICTOR else None
    name = component_name(isvc.name, component, variant)
    return ResolvedComponent(component, name, spec, pod_spec, labels, merged, runtime)


def _with_resources(pod: Object, config: Config) -> Object:
    """Return the pod whose container that serves asks for something, if an installation says so."""
    wanted = config.resources.to_object()
    if not wanted:
        return pod
    main = main_container(pod)
    containers = [
        {**each, "resources": wanted} if each["name"] == main and "resources" not in each else each
        for each in pod["containers"]
    ]
    return {**pod, "containers": containers}


def main_container(pod: Object) -> str:
    """Return the name of the container that serves: kserve-container, else the first."""
    names: list[str] = [container["name"] for container in pod["containers"]]
    return MAIN_CONTAINER if MAIN_CONTAINER in names else names[0]


def pod_fields(spec: ComponentSpec) -> Object:
    """Return the inline pod fields of a component."""
    given = spec.to_object()
    return {alias: given[alias] for alias in _POD_FIELDS if alias in given}
