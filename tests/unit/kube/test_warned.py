"""What the API says beside an answer reaches who applies."""

from __future__ import annotations

import pytest

from rouse.embedded.apiserver.memory import memory_api
from rouse.kube import KubeClient
from rouse.kube.warned import warnings_in


@pytest.mark.parametrize(
    ("headers", "texts"),
    [
        ([], []),
        (['299 - "old"'], ["old"]),
        (['299 - "old"', '299 kube "a \\"b\\" \\\\c"'], ["old", 'a "b" \\c']),
        (['299 - "one", 299 - "two"'], ["one", "two"]),
        (['110 - "stale"', "299 -", "nonsense"], []),
    ],
)
def test_the_texts_of_warnings(headers: list[str], texts: list[str]) -> None:
    assert warnings_in(headers) == texts


async def test_who_applies_is_warned() -> None:
    graph = {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "InferenceGraph",
        "metadata": {"name": "pets", "namespace": "default"},
        "spec": {
            "nodes": {
                "root": {
                    "routerType": "Ensemble",
                    "steps": [{"serviceName": "cats", "weight": 3}],
                }
            }
        },
    }
    told: list[str] = []
    async with memory_api() as (_, http):
        await KubeClient(http).apply(graph, warned=told.append)
    assert told == ["spec.nodes.root.steps[0].weight has no effect: Ensemble is not Splitter"]
