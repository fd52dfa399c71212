"""A graph, as the controller hands it over: parsed once, checked, every name resolved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from math import inf
from typing import Any, Final, Literal

import orjson

from predictors.graph.errors import GraphError
from predictors.graph.gjson import Path, PathError, compile_path
from predictors.graph.proxies import Proxy
from predictors.graph.targets import Target, parse_target

__all__ = ["ROOT", "Graph", "Node", "RouterType", "Step", "Timeouts", "parse_graph"]

ROOT: Final = "root"

RouterType = Literal["Sequence", "Splitter", "Switch", "Ensemble"]
_TYPES: Final = ("Sequence", "Splitter", "Switch", "Ensemble")
_TARGETS: Final = ("serviceName", "serviceUrl", "nodeName")
_ROUTER: Final = "routerTimeouts"
_DEEPEST: Final = 64
"""Nodes below one another: each takes a part of the stack, of which there is not much more."""
_MOST_CALLS: Final = 10_000
"""Of services for one request: nodes that share others multiply what is asked of them."""


@dataclass(frozen=True)
class Step:
    """One call of a node: of the service ``target``, or else of ``node``.

    ``key`` is where an Ensemble puts its answer, ``title`` what people and metrics call it.
    """

    key: str
    title: str
    target: Target | None
    node: Node | None
    service: bool = False
    """Whether it names an InferenceService; a URL may be anybody's."""
    takes_answer: bool = False
    weight: int = 0
    condition: Path | None = None
    hard: bool = False
    maps: bool = False

    @property
    def certain(self) -> tuple[Target, ...]:
        """InferenceServices that are asked wherever this step is taken."""
        if self.node is not None:
            return self.node.certain
        return (self.target,) if self.target is not None and self.service else ()

    @property
    def url(self) -> str:
        """What it asks, as callers and logs are told; empty for another node.

        Without the query, which may hold a key of whoever made the graph.
        """
        return self.target.url.partition("?")[0] if self.target is not None else ""


@dataclass(frozen=True)
class Node:
    """A router and the steps it chooses among."""

    name: str
    kind: RouterType
    steps: tuple[Step, ...]

    @cached_property
    def certain(self) -> tuple[Target, ...]:
        """InferenceServices that are asked for every request, as long as none fails."""
        if self.kind == "Sequence":
            return tuple(dict.fromkeys((*self.steps[0].certain, *self.later)))
        if self.kind == "Ensemble":
            return tuple({target: None for step in self.steps for target in step.certain})
        return ()

    @cached_property
    def later(self) -> tuple[Target, ...]:
        """Those that a Sequence asks when its first step has answered."""
        if self.kind != "Sequence":
            return ()
        sure = takewhile(lambda step: step.condition is None, self.steps[1:])
        return tuple({target: None for step in sure for target in step.certain})

    @cached_property
    def levels(self) -> int:
        """Nodes below one another, from this one on."""
        return 1 + max(each.node.levels if each.node is not None else 0 for each in self.steps)

    @cached_property
    def calls(self) -> int:
        """Of services, at most, for one request."""
        below = [each.node.calls if each.node is not None else 1 for each in self.steps]
        return sum(below) if self.kind in ("Sequence", "Ensemble") else max(below)


@dataclass(frozen=True)
class Timeouts:
    """Seconds: for one call of a service, a whole request, and a body to arrive.

    0, for a body infinity, sets no end. ``idle`` is what a connection may do nothing for, which the
    server has no setting for; None where nothing is said.
    """

    call: float = 0.0
    request: float = 0.0
    body: float = 60.0
    idle: int | None = None


@dataclass(frozen=True)
class Graph:
    """The nodes of a graph; every request starts at ``root``."""

    name: str
    root: Node
    nodes: Mapping[str, Node]
    timeouts: Timeouts = Timeouts()


def parse_graph(text: str | bytes, name: str, proxy: Proxy | None = None) -> Graph:
    """The graph of its JSON, the ``spec`` of an InferenceGraph with a URL for every service.

    Services are asked through the proxy, if one is given and serves their hosts. Fields that a
    router does not need are ignored. Raises `GraphError`.
    """
    try:
        spec = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise GraphError("the graph", f"is not JSON: {error}") from None
    if not isinstance(spec, dict):
        raise GraphError("the graph", f"must be a JSON object, got {_kind(spec)}")
    given = spec.get("nodes")
    if not isinstance(given, dict) or not given:
        raise GraphError("nodes", f"must be an object with at least the node {ROOT!r}")
    if ROOT not in given:
        there = ", ".join(sorted(given))
        raise GraphError("nodes", f"has no {ROOT!r}, where every request starts; it has {there}")
    nodes = _Nodes(given, proxy)
    made = {each: nodes.node(each) for each in given}
    return Graph(name, made[ROOT], made, _timeouts(spec))


class _Nodes:
    """Makes nodes; those that others name come first."""

    def __init__(self, given: Mapping[str, Any], proxy: Proxy | None) -> None:
        self._given = given
        self._proxy = proxy
        self._made: dict[str, Node] = {}
        self._making: list[str] = []

    def node(self, name: str) -> Node:
        """The node of that name."""
        if name in self._made:
            return self._made[name]
        path = f"nodes.{name}"
        if name in self._making:
            circle = " -> ".join([*self._making[self._making.index(name) :], name])
            raise GraphError("nodes", f"go round in a circle: {circle}")
        if len(self._making) >= _DEEPEST:
            raise _too_deep(name)
        node = self._given[name]
        if not isinstance(node, dict):
            raise GraphError(path, f"must be an object, got {_kind(node)}")
        kind = node.get("routerType")
        if kind not in _TYPES:
            raise GraphError(f"{path}.routerType", f"must be one of {', '.join(_TYPES)}: {kind!r}")
        steps = node.get("steps")
        if not isinstance(steps, list) or not steps:
            raise GraphError(f"{path}.steps", f"a {kind} needs at least one step")
        self._making.append(name)
        made = tuple(self._step(each, i, f"{path}.steps[{i}]") for i, each in enumerate(steps))
        self._making.pop()
        for reason in _misfits(kind, made):
            raise GraphError(f"{path}.steps", reason)
        self._made[name] = _sized(Node(name, kind, made))
        return self._made[name]

    def _step(self, given: Any, index: int, path: str) -> Step:
        if not isinstance(given, dict):
            raise GraphError(path, f"must be an object, got {_kind(given)}")
        told = {field: _text(given, field, path) for field in (*_TARGETS, "name", "condition")}
        target, node = self._target(told, path)
        data = given.get("data")
        if data not in (None, "", "$request", "$response"):
            raise GraphError(f"{path}.data", f"must be $request or $response, got {data!r}")
        dependency = given.get("dependency")
        if dependency not in (None, "", "Soft", "Hard"):
            raise GraphError(f"{path}.dependency", f"must be Soft or Hard, got {dependency!r}")
        return Step(
            key=told["name"] or str(index),
            title=told["name"] or told["serviceName"] or told["nodeName"] or str(index),
            target=target,
            node=node,
            service=bool(told["serviceName"]),
            takes_answer=data == "$response",
            weight=_whole(given, "weight", path),
            condition=self._condition(told["condition"], path),
            hard=dependency == "Hard",
            maps=given.get("mapPredictionsToInstances") is True,
        )

    def _target(self, told: Mapping[str, str], path: str) -> tuple[Target | None, Node | None]:
        name, url = told["nodeName"], told["serviceUrl"]
        if name:
            if name not in self._given:
                there = ", ".join(sorted(self._given))
                raise GraphError(f"{path}.nodeName", f"there is no node {name!r}; there is {there}")
            return None, self.node(name)
        if not url:
            service = told["serviceName"]
            reason = f"is missing for {service!r}; the controller resolves it" if service else ""
            reason = reason or "is missing, and there is no nodeName either"
            raise GraphError(f"{path}.serviceUrl", reason)
        try:
            return parse_target(url, self._proxy), None
        except ValueError as error:
            raise GraphError(f"{path}.serviceUrl", str(error)) from None

    def _condition(self, text: str, path: str) -> Path | None:
        if not text:
            return None
        try:
            return compile_path(text)
        except PathError as error:
            raise GraphError(f"{path}.condition", str(error)) from None


def _sized(node: Node) -> Node:
    """The node, unless it is too large to be served."""
    if node.levels > _DEEPEST:
        raise _too_deep(node.name)
    if node.calls > _MOST_CALLS:
        reason = f"asks up to {node.calls} services for one request, at most {_MOST_CALLS} may be"
        raise GraphError(f"nodes.{node.name}", reason)
    return node


def _too_deep(name: str) -> GraphError:
    return GraphError(f"nodes.{name}", f"lies in a chain of more than {_DEEPEST} nodes")


def _misfits(kind: str, steps: tuple[Step, ...]) -> Iterator[str]:
    if kind == "Splitter" and not sum(step.weight for step in steps):
        yield "the weights of a Splitter add up to 0; nothing could be chosen"
    if kind == "Switch" and any(step.condition is None for step in steps):
        yield "every step of a Switch needs a condition"


def _timeouts(spec: Mapping[str, Any]) -> Timeouts:
    given = spec.get(_ROUTER)
    given = {} if given is None else given
    if not isinstance(given, dict):
        raise GraphError(_ROUTER, f"must be an object, got {_kind(given)}")
    ends = (_whole(spec, "timeout", ""), _whole(given, "serverWrite", _ROUTER))
    return Timeouts(
        call=_whole(given, "serviceClient", _ROUTER),
        # Whichever is over first; none is not over at all.
        request=min((each for each in ends if each), default=0),
        body=_body_seconds(given),
        idle=None if given.get("serverIdle") is None else _whole(given, "serverIdle", _ROUTER),
    )


def _body_seconds(given: Mapping[str, Any]) -> float:
    """KServe's router waits for 60 s unless told otherwise, and for ever when told 0."""
    if given.get("serverRead") is None:
        return Timeouts.body
    return _whole(given, "serverRead", _ROUTER) or inf


def _text(given: Mapping[str, Any], field: str, path: str) -> str:
    value = given.get(field)
    if value is not None and not isinstance(value, str):
        raise GraphError(f"{path}.{field}", f"must be a string, got {_kind(value)}")
    return value or ""


def _whole(given: Mapping[str, Any], field: str, path: str) -> int:
    value = given.get(field)
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        where = f"{path}.{field}" if path else field
        raise GraphError(where, f"must be a whole number from 0, got {value!r}")
    return value


def _kind(value: object) -> str:
    return {list: "an array", dict: "an object", str: "a string", type(None): "null"}.get(
        type(value), repr(value)
    )
