"""What opens an InferenceService, and that a slip in its annotation leaves none open."""

from __future__ import annotations

import pytest

from rouse.api.inferenceservice.types import InferenceService
from rouse.compiler.access import methods_of
from rouse.compiler.config import Config
from rouse.compiler.errors import CompileError
from rouse.compiler.network import keep_virtual_service


def service(**annotations: str) -> InferenceService:
    metadata = {"name": "iris", "namespace": "default", "annotations": annotations}
    return InferenceService.model_validate(
        {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": metadata,
            "spec": {"predictor": {"model": {"modelFormat": {"name": "sklearn"}}}},
        }
    )


@pytest.mark.parametrize(
    ("annotations", "methods"),
    [
        ({}, set()),
        ({"rouse.dev/auth": "none"}, set()),
        ({"rouse.dev/auth": "api-key"}, {"api-key"}),
        ({"rouse.dev/api-keys": "partners"}, {"api-key"}),
        # Admission refuses it; closed is what is left of it.
        ({"rouse.dev/auth": "none,api-key"}, {"api-key"}),
    ],
)
def test_methods(annotations: dict[str, str], methods: set[str]) -> None:
    assert methods_of(service(**annotations), Config()) == methods


@pytest.mark.parametrize("text", ["", "apikey", "API-KEY", "api-key jwt", "api-key,basic"])
def test_where_admission_was_not_asked_an_unknown_method_is_refused(text: str) -> None:
    with pytest.raises(CompileError, match="is unknown; allowed: api-key, jwt, none"):
        methods_of(service(**{"rouse.dev/auth": text}), Config())


def test_routes_that_are_kept_are_closed_to_hosts_of_the_inside() -> None:
    rule = {"route": [{"destination": {"host": "a"}}]}
    live = {"spec": {"hosts": ["a"], "gateways": ["b"], "http": [rule]}}
    assert keep_virtual_service(service(), live, Config())["spec"] == live["spec"]
    asked = service(**{"rouse.dev/auth": "api-key"})
    kept = keep_virtual_service(asked, live, Config())
    assert kept["spec"]["http"][0]["directResponse"] == {"status": 404}
    assert kept["spec"]["http"][1:] == [rule]
    assert keep_virtual_service(asked, kept, Config())["spec"] == kept["spec"]
