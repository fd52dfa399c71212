"""The examples of docs/storage.md compile, and their pods can be completed."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from rouse.api.admission import review
from rouse.compiler import Config, Observed, RuntimeSet, compile_object
from rouse.compiler.podwebhook import mutate
from rouse.compiler.storage import Facts

ROOT = Path(__file__).resolve().parents[3]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
EXAMPLES = [
    [*yaml.safe_load_all(text)]
    for text in re.findall(
        r"^```yaml\n(.*?)^```", (ROOT / "docs/storage.md").read_text(), re.MULTILINE | re.DOTALL
    )
]


def runtimes() -> RuntimeSet:
    files = (ROOT / "manifests/runtimes").glob("*.yaml")
    return RuntimeSet.of(o for file in files for o in yaml.safe_load_all(file.read_text()) if o)


def named(objects: list[Any], kind: str) -> dict[str, Any]:
    return {o["metadata"]["name"]: o for o in objects if o["kind"] == kind}


@pytest.mark.parametrize(
    "objects", EXAMPLES, ids=lambda o: f"{o[-1]['kind']}-{o[-1]['metadata']['name']}"
)
def test_an_example_of_the_page(objects: list[Any]) -> None:
    config = Config.from_config_map(next(iter(named(objects, "ConfigMap").values()), None))
    facts = Facts(
        named(objects, "ServiceAccount"),
        named(objects, "Secret"),
        [*named(objects, "ClusterStorageContainer").values()],
    )
    for isvc in named(objects, "InferenceService").values():
        compiled = compile_object(
            review(isvc, None),
            runtimes=runtimes(),
            storage_containers=facts.storage_containers,
            config=config,
            observed=Observed(),
            now=NOW,
        )
        [service] = [
            o for o in compiled.objects if o["kind"] == "Service" and "template" in o["spec"]
        ]
        template = service["spec"]["template"]
        pod = mutate(
            {"metadata": template["metadata"], "spec": template["spec"]}, config=config, facts=facts
        )
        text = str(pod)
        for secret in facts.secrets.values():
            assert not [v for v in secret["stringData"].values() if len(v) > 20 and v in text]
