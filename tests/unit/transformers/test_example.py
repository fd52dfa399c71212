"""The example's manifest has the code that stands beside it, and compiles."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import yaml

from predictors.serving.inference import InferenceRequest
from rouse.compiler import Config, Observed, RuntimeSet, compile_object
from tests.unit.transformers.conftest import Asked
from transformers_pre.model import TransformerModel
from transformers_pre.runtime import find_class

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "transformer"


def test_the_config_map_has_the_code_and_the_service_compiles() -> None:
    code, service = yaml.safe_load_all((EXAMPLE / "isvc.yaml").read_text())
    assert code["data"] == {"millimetres.py": (EXAMPLE / "millimetres.py").read_text()}
    service["metadata"]["namespace"] = "default"
    runtimes = [
        each
        for file in (ROOT / "manifests" / "runtimes").glob("*.yaml")
        for each in yaml.safe_load_all(file.read_text())
        if each
    ]
    compiled = compile_object(
        service,
        runtimes=RuntimeSet.of(runtimes),
        config=Config(),
        observed=Observed(),
        now=datetime(2026, 1, 1, tzinfo=UTC),
    )
    names = {obj["metadata"]["name"] for obj in compiled.objects}
    assert {"flowers-predictor", "flowers-transformer"} <= names


async def test_the_class_does_what_it_says(
    asked: Asked, model: Callable[..., TransformerModel]
) -> None:
    asked.body = {"predictions": [0, 2]}
    made = find_class(f"{EXAMPLE / 'millimetres.py'}:Millimetres")("flowers", EXAMPLE, {})
    served = model(made)
    request = InferenceRequest((), payload={"flowers": [[51, 35, 14, 2], [63, 33, 60, 25]]})
    answer = await served.infer(request)
    assert asked.sent["instances"][0] == [5.1, 3.5, 1.4, 0.2]
    assert answer.payload == {"species": ["setosa", "virginica"]}
