"""The router of a graph: a component like those of an InferenceService, of one container."""

from __future__ import annotations

import re
from collections.abc import Mapping

import orjson

from rouse.api.base import Object
from rouse.api.inferencegraph.annotations import PROPAGATE_HEADERS, parse_headers
from rouse.api.inferencegraph.lifecycle import Reason
from rouse.api.inferencegraph.types import InferenceGraph, InferenceGraphSpec
from rouse.api.inferenceservice.component import ComponentSpec
from rouse.compiler.component import ResolvedComponent
from rouse.compiler.config import Config
from rouse.compiler.errors import CompileError
from rouse.compiler.metadata import pod_annotations, pod_labels
from rouse.compiler.names import COMPONENT_LABEL, GRAPH_LABEL, ROUTER
from rouse.compiler.pools import place

__all__ = ["make_router"]

_PORT = 8080
_MOST_ARGUMENT = 128 * 1024 - 1
"""Linux takes no longer argument of a program (MAX_ARG_STRLEN, with the zero at its end)."""
_EXPANDED = re.compile(rb"\$(?=[$(])")
_POD_FIELDS = ("affinity", "tolerations", "nodeSelector", "nodeName", "serviceAccountName")
_SCALING_FIELDS = ("minReplicas", "maxReplicas", "scaleTarget", "scaleMetric", "timeout")
_TOLD_FIELDS = ("nodes", "routerTimeouts", "timeout")
_SCRAPED = {"prometheus.kserve.io/port": str(_PORT), "prometheus.kserve.io/path": "/metrics"}


def make_router(
    graph: InferenceGraph, urls: Mapping[str, str], config: Config
) -> ResolvedComponent:
    """Return the router of a (defaulted) graph.

    ``urls`` are those of the InferenceServices by name. Raises CompileError for a node pool that
    does not exist, or a graph too large to be told to a program.
    """
    given = graph.spec.to_object()
    siblings = {GRAPH_LABEL: graph.name, COMPONENT_LABEL: ROUTER}
    annotations = {**_SCRAPED, **pod_annotations(graph, config)}
    pod: Object = {
        "containers": [_container(graph, _told(graph.spec, urls), config)],
        # It asks nothing of the Kubernetes API.
        "automountServiceAccountToken": False,
        **{field: given[field] for field in _POD_FIELDS if field in given},
    }
    secrets = config.router.image_pull_secrets
    if secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in secrets]
    scaling = {field: given[field] for field in _SCALING_FIELDS if field in given}
    return ResolvedComponent(
        component=ROUTER,
        name=graph.name,
        spec=ComponentSpec.model_validate(scaling),
        pod_spec=place(pod, annotations, config, labels=siblings),
        labels={**pod_labels(graph, config), **siblings},
        annotations=annotations,
    )


def _container(graph: InferenceGraph, told: str, config: Config) -> Object:
    router = config.router
    own = graph.spec.resources.to_object() if graph.spec.resources is not None else {}
    container: Object = {
        "name": ROUTER,
        "image": router.image,
        "args": ["--graph-json", told, "--graph_name", graph.name],
        "ports": [{"containerPort": _PORT, "protocol": "TCP"}],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": _PORT}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "privileged": False,
            "runAsNonRoot": True,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
            # Without it a namespace that enforces the standard "restricted" takes no such pod.
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    resources = own or router.to_object()
    if resources:
        container["resources"] = resources
    own_headers = parse_headers(graph.annotations.get(PROPAGATE_HEADERS, ""))
    headers = dict.fromkeys((*router.headers.propagate, *own_headers))
    if headers:
        container["env"] = [{"name": "PROPAGATE_HEADERS", "value": ",".join(headers)}]
    return container


def _told(spec: InferenceGraphSpec, urls: Mapping[str, str]) -> str:
    """Return what the router is told of the graph, as JSON: equal graphs give equal text."""
    given = spec.to_object()
    told: Object = {field: given[field] for field in _TOLD_FIELDS if field in given}
    told["nodes"] = {
        name: {**node, "steps": [_with_url(step, urls) for step in node.get("steps") or ()]}
        for name, node in given["nodes"].items()
    }
    # As JSON's escape where Kubernetes would take a dollar for a variable, or for an escaped one.
    text = _EXPANDED.sub(rb"\\u0024", orjson.dumps(told, option=orjson.OPT_SORT_KEYS))
    if len(text) > _MOST_ARGUMENT:
        raise CompileError(
            Reason.INVALID_SPEC,
            f"spec.nodes: {len(text)} bytes as JSON are more than the {_MOST_ARGUMENT} that a "
            "program can be told; split the graph and call one from the other by serviceUrl",
        )
    return text.decode()


def _with_url(step: Object, urls: Mapping[str, str]) -> Object:
    name = step.get("serviceName")
    return step if name is None else {**step, "serviceUrl": urls[name]}
