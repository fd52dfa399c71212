"""`rouse explain`: the types in words."""

from __future__ import annotations

from typing import Any

import pytest

from rouse.api.definitions import DEFINITIONS
from rouse.api.schema import structural_schema
from rouse.sdk.explaining import explain


def test_a_field_is_explained(cli: Any) -> None:
    ran = cli("explain", "isvc.spec.predictor.canaryTrafficPercent")
    assert (ran.code, ran.err) == (0, "")
    assert "FIELD:    spec.predictor.canaryTrafficPercent <integer>" in ran.out
    assert "Percent of requests for the latest ready revision" in ran.out
    assert "BOUNDS:   the least is 0; the most is 100" in ran.out


def test_kinds_are_listed(cli: Any) -> None:
    ran = cli("explain")
    assert ran.code == 0
    assert all(each.kind in ran.out for each in DEFINITIONS)


@pytest.mark.parametrize("name", ["isvc", "InferenceService", "inferenceservices", "ISVC"])
def test_every_name_of_a_kind_does(name: str) -> None:
    told = explain(name)
    assert told.kind == "InferenceService"
    assert {field.name for field in told.fields} >= {"metadata", "spec", "status"}


def test_lists_and_maps_are_walked_through() -> None:
    for path in ("spec.predictor.containers.env.name", "spec.predictor.containers[0].env[].name"):
        assert explain(f"isvc.{path}").required
    assert explain("isvc.spec.predictor.labels").type == "map of string"
    assert explain("isvc.spec.predictor.model.protocolVersion").allowed[:2] == ("v1", "v2")
    assert explain("isvc.status.url").type == "string"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("isvcs", 'there is no kind "isvcs" in serving.kserve.io; did you mean isvc?'),
        ("inferenceservce", "did you mean inferenceservice or"),
        ("isvc.spec.predictr", '.spec has no field "predictr"; did you mean predictor?'),
        ("isvc.spec.predictor.canary", "did you mean canaryTrafficPercent?"),
        ("isvc.spec.predictor.minReplicas.x", "spec.predictor.minReplicas (integer) has no fields"),
        ("isvc.", 'has no field ""'),
        ("", 'there is no kind ""'),
    ],
)
def test_typos_are_told_the_nearest(cli: Any, path: str, message: str) -> None:
    ran = cli("explain", path)
    assert (ran.code, ran.out) == (1, "")
    assert message in ran.err


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda each: each.kind)
def test_every_field_of_every_kind_can_be_explained(definition: Any, cli: Any) -> None:
    schema = structural_schema(definition.model)
    for name in schema["properties"]:
        ran = cli("explain", f"{definition.kind}.{name}")
        assert ran.code == 0
