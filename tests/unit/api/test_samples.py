"""KServe's own samples of the kinds beside InferenceService and the runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from rouse.api.admission import review
from rouse.errors import ValidationError
from tests.unit.api.kinds import SPECS

Object = dict[str, Any]

FOLDER = Path(__file__).parents[4] / "shared" / "samples" / "kserve"
FILES = sorted(FOLDER.glob("*.yaml"))
KINDS = SPECS.keys() - {"InferenceService", "ServingRuntime", "ClusterServingRuntime"}

REFUSED = {
    # The host holds a placeholder that the reader is to replace.
    ("graph__switch.yaml", "model-switch"): {
        f"spec.nodes.root.steps[{index}].serviceUrl" for index in range(3)
    },
}
"""What is wrong with a sample, by file and name; all others are let in."""


def objects(file: Path) -> list[Object]:
    loaded = yaml.load_all(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return [obj for obj in loaded if obj is not None and obj.get("kind") in KINDS]


@pytest.mark.skipif(not FILES, reason="the samples of KServe are not at ../shared/samples")
def test_samples_are_let_in_or_refused_for_a_reason() -> None:
    wrong: dict[tuple[str, str], set[str]] = {}
    seen = set()
    for file in FILES:
        for obj in objects(file):
            seen.add(obj["kind"])
            try:
                review(obj)
            except ValidationError as error:
                paths = {finding.path for finding in error.errors}
                wrong[file.name, obj["metadata"]["name"]] = paths
    assert {"InferenceGraph", "TrainedModel"} <= seen
    assert wrong == REFUSED
