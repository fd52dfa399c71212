"""What is stored with a warning."""

from __future__ import annotations

from typing import Any

import pytest

from rouse.api.advice import advise


def graph(kind: str, *steps: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": "InferenceGraph",
        "spec": {"nodes": {"root": {"routerType": kind, "steps": list(steps)}}},
    }


A = {"serviceName": "a"}


@pytest.mark.parametrize(
    ("obj", "said"),
    [
        (
            graph("Splitter", {**A, "weight": 50}, {**A, "weight": 50, "condition": "x"}),
            "spec.nodes.root.steps[1].condition has no effect: Splitter is not Sequence or Switch",
        ),
        (
            graph("Ensemble", {**A, "weight": 50}),
            "spec.nodes.root.steps[0].weight has no effect: Ensemble is not Splitter",
        ),
        (
            graph("Switch", {**A, "condition": "x", "data": "$response"}),
            "spec.nodes.root.steps[0].data has no effect: Switch is not Sequence",
        ),
        (
            graph("Sequence", {**A, "condition": "x"}, A),
            "spec.nodes.root.steps[0].condition makes every request fail: the first step of a "
            "Sequence has no answer to look into",
        ),
    ],
)
def test_what_has_no_effect_in_a_graph_is_told(obj: dict[str, Any], said: str) -> None:
    assert advise(obj) == [said]


@pytest.mark.parametrize(
    "obj",
    [
        graph("Sequence", A, {**A, "condition": "x", "data": "$response"}),
        graph("Switch", {**A, "condition": "x"}),
        graph("Splitter", {**A, "weight": 100}),
        {"kind": "InferenceGraph", "spec": {"nodes": {"root": 3}}},
        {"kind": "InferenceGraph", "spec": {"nodes": {"root": {"steps": [3]}}}},
        {"kind": "InferenceGraph"},
        {"kind": "LocalModelCache"},
        {},
    ],
)
def test_what_is_in_order_is_not_mentioned(obj: dict[str, Any]) -> None:
    assert not advise(obj)
