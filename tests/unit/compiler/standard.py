"""What the tests of the mode Standard share: an InferenceService, compiled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rouse.api.inferenceservice import default, parse
from rouse.compiler import Compiled, Config, Observed, RuntimeSet
from rouse.compiler.component import ResolvedComponent
from rouse.compiler.explainer import resolve_explainer
from rouse.compiler.predictor import resolve_predictor
from rouse.compiler.standard import compile_standard
from rouse.compiler.transformer import resolve_transformer

Object = dict[str, Any]


NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


HASH = "rouse.dev/template-hash"


KSERVE = "serving.kserve.io/"


def compiled(
    predictor: Object | None = None,
    *,
    annotations: Mapping[str, str] | None = None,
    config: Config | None = None,
    deployments: Mapping[str, Object] | None = None,
    before: Object | None = None,
    activations: Sequence[Object] = (),
    **spec: Any,
) -> Compiled:
    config = config or Config()
    given = {"containers": [{"name": "c", "image": "i"}], **(predictor or {})}
    isvc = default(
        parse(
            {
                "apiVersion": "serving.kserve.io/v1beta1",
                "kind": "InferenceService",
                "metadata": {
                    "name": "iris",
                    "namespace": "ns",
                    "uid": "u",
                    "generation": 2,
                    "annotations": dict(annotations or {}),
                },
                "spec": {"predictor": given, **spec},
            }
        )
    )
    components: list[ResolvedComponent] = [resolve_predictor(isvc, RuntimeSet(), config)]
    if isvc.spec.transformer is not None:
        components.append(resolve_transformer(isvc, isvc.spec.transformer, config))
    if isvc.spec.explainer is not None:
        components.append(resolve_explainer(isvc, isvc.spec.explainer, config))
    observed = Observed(
        deployments=deployments or {}, activations=activations, previous_status=before or {}
    )
    return compile_standard(isvc, components, config=config, observed=observed, now=NOW)


def found(result: Compiled, kind: str, name: str = "iris-predictor") -> Object:
    [one] = [o for o in result.objects if (o["kind"], o["metadata"]["name"]) == (kind, name)]
    return one


def kinds(result: Compiled) -> list[str]:
    return [f"{obj['kind']} {obj['metadata']['name']}" for obj in result.objects]
