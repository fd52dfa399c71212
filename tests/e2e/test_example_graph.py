"""The example of graphs, as its page says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from perf.harness import Engine
from rouse.kube.resources import INFERENCE_GRAPHS
from rouse.sdk import AsyncClient

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/graph"
GRAPHS = ("sequence", "splitter", "ensemble", "switch")
SPECIES = {"predictions": [0, 2]}
BOTH = {"linear": SPECIES, "tree": SPECIES}


@pytest.mark.timeout(240)
async def test_the_four_graphs_of_the_example(engine: Engine, client: AsyncClient) -> None:
    models = engine.home.volumes / "default" / "models"
    subprocess.run(
        [sys.executable, EXAMPLE / "train.py", "--out", models],
        check=True,
        cwd=ROOT,
        capture_output=True,
    )
    bodies = {
        name: yaml.safe_load((EXAMPLE / "requests" / f"{name}.json").read_text())
        for name in ("measured", "sepals")
    }
    files = [EXAMPLE / f"{name}.yaml" for name in ("services", *GRAPHS)]
    try:
        await client.apply(files)
        for graph, body, answer in (
            ("from-sepals", "sepals", SPECIES),
            ("split", "measured", SPECIES),
            ("both", "measured", BOTH),
            ("flowers", "measured", BOTH),
            ("flowers", "sepals", SPECIES),
        ):
            await client.wait_ready(graph, timeout_s=120, resource=INFERENCE_GRAPHS)
            answered = await client.predict(graph, bodies[body], resource=INFERENCE_GRAPHS)
            assert answered == answer, (graph, body)
        path = str(EXAMPLE / "requests/sepals.json")
        assert '"predictions":[0,2]' in engine.rouse("predict", "ig/flowers", "-f", path).stdout
    finally:
        await client.delete(files)
