"""The rules of an InferenceGraph that its types cannot say."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping

from rouse.api.findings import path_of
from rouse.api.inferencegraph.annotations import check_headers
from rouse.api.inferencegraph.cycles import find_cycle
from rouse.api.inferencegraph.gjson import explain_path
from rouse.api.inferencegraph.types import ROOT, InferenceGraph, InferenceGraphSpec, Node, Step
from rouse.api.inferenceservice.annotations import check_shared
from rouse.api.inferenceservice.modes import KNATIVE, MODE_ANNOTATION, STANDARD, mode_of
from rouse.api.inferenceservice.validation import MAX_TIMEOUT_S
from rouse.api.names import MAX_LABEL, is_dns_label
from rouse.api.pods.checks import check_unique
from rouse.errors import FieldError

__all__ = ["validate"]

_URL = re.compile(r"https?://(?P<host>[^/?#]*)([/?#]\S*)?")
_AUTHORITY = re.compile(
    r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9]([-A-Za-z0-9._]*[A-Za-z0-9])?)(:[0-9]{1,5})?"
)


def validate(graph: InferenceGraph) -> list[FieldError]:
    """Return every finding about a graph as the user gave it."""
    return [
        *_name(graph),
        *_mode(graph),
        *check_shared(graph.annotations),
        *check_headers(graph.annotations),
        *_scaling(graph.spec),
        *_nodes(graph.spec.nodes),
    ]


def _name(graph: InferenceGraph) -> Iterator[FieldError]:
    name = graph.metadata.name
    if not is_dns_label(name) and not graph.metadata.generate_name:
        yield FieldError(
            "metadata.name",
            f'"{name}" cannot be part of a host name; use at most {MAX_LABEL} lower case letters, '
            "digits and hyphens, a letter first and no hyphen last",
        )


def _mode(graph: InferenceGraph) -> Iterator[FieldError]:
    if mode_of(graph.annotations) not in (KNATIVE, STANDARD):
        yield FieldError(
            f"metadata.annotations[{MODE_ANNOTATION}]",
            f'"{graph.annotations[MODE_ANNOTATION]}" is no mode of a graph; allowed: Knative '
            "(Serverless), Standard (RawDeployment)",
        )


def _scaling(spec: InferenceGraphSpec) -> Iterator[FieldError]:
    least, most = spec.min_replicas, spec.max_replicas
    if least is not None and most and most < least:
        yield FieldError("spec.maxReplicas", f"{most} is less than minReplicas, which is {least}")
    if spec.timeout is not None and spec.timeout > MAX_TIMEOUT_S:
        yield FieldError(
            "spec.timeout", f"{spec.timeout} s is out of range; the most is {MAX_TIMEOUT_S} s"
        )


def _nodes(nodes: Mapping[str, Node]) -> Iterator[FieldError]:
    if ROOT not in nodes:
        yield FieldError(
            "spec.nodes",
            f'has no node named "{ROOT}", where every request starts; the nodes are '
            + ", ".join(sorted(nodes)),
        )
    for name, node in nodes.items():
        path = path_of(("spec", "nodes", name))
        yield from _node(node, path)
        for index, step in enumerate(node.steps or ()):
            yield from _step(step, f"{path}.steps[{index}]", nodes)
    cycle = find_cycle(nodes)
    if cycle:
        yield FieldError(
            "spec.nodes",
            f"go round in a circle ({' -> '.join(cycle)}); a request would never end, so let one "
            "of them call a service",
        )


def _node(node: Node, path: str) -> Iterator[FieldError]:
    steps = node.steps or []
    if not steps:
        yield FieldError(f"{path}.steps", f"a {node.router_type} needs at least one step")
    yield from _unique_names(steps, path)
    if node.router_type == "Splitter" and steps:
        yield from _weights(steps, path)
    for index, step in enumerate(steps):
        where = f"{path}.steps[{index}].condition"
        if step.condition is not None:
            problem = explain_path(step.condition)
            if problem:
                yield FieldError(where, problem)
        elif node.router_type == "Switch":
            yield FieldError(
                where, "is required: a Switch takes the first step whose gjson path finds something"
            )


def _unique_names(steps: list[Step], path: str) -> Iterator[FieldError]:
    # Steps without a name are many; only the names that are given must differ.
    named = [step.name or f"\0{index}" for index, step in enumerate(steps)]
    yield from check_unique(named, f"{path}.steps")


def _weights(steps: list[Step], path: str) -> Iterator[FieldError]:
    for index, step in enumerate(steps):
        if step.weight is None:
            yield FieldError(
                f"{path}.steps[{index}].weight", "is required: the steps of a Splitter have weights"
            )
    total = sum(step.weight or 0 for step in steps)
    if total != 100 and all(step.weight is not None for step in steps):
        yield FieldError(f"{path}.steps", f"the weights add up to {total}; they must be 100")


def _step(step: Step, path: str, nodes: Mapping[str, Node]) -> Iterator[FieldError]:
    targets = {
        "serviceName": step.service_name,
        "serviceUrl": step.service_url,
        "nodeName": step.node_name,
    }
    given = [name for name, value in targets.items() if value is not None]
    if len(given) != 1:
        yield FieldError(
            path,
            f"names {len(given) or 'no'} target{'s' if given else ''}"
            f"{' (' + ', '.join(given) + ')' if given else ''}; give exactly one of "
            "serviceName, serviceUrl and nodeName",
        )
    if step.service_name is not None and not is_dns_label(step.service_name):
        yield FieldError(
            f"{path}.serviceName", f'"{step.service_name}" is no name of an InferenceService'
        )
    if step.service_url is not None and not _is_url(step.service_url):
        yield FieldError(
            f"{path}.serviceUrl",
            f'"{step.service_url}" is no URL; write http://<host>[:<port>]/<path>, and replace '
            "placeholders",
        )
    if step.node_name is not None and step.node_name not in nodes:
        near = difflib.get_close_matches(step.node_name, nodes, n=1)
        hint = f'did you mean "{near[0]}"?' if near else "the nodes are " + ", ".join(sorted(nodes))
        yield FieldError(f"{path}.nodeName", f'there is no node "{step.node_name}"; {hint}')


def _is_url(text: str) -> bool:
    url = _URL.fullmatch(text)
    return url is not None and _AUTHORITY.fullmatch(url["host"]) is not None
