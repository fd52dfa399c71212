"""autoScaling in the mode Knative: what a revision can be scaled by, and what it comes to."""

from __future__ import annotations

from typing import Any

import pytest

from rouse.api.inferenceservice.component import ComponentSpec
from rouse.api.inferenceservice.knative_scaling import (
    KnativeScaling,
    check_knative_scaling,
    knative_scaling,
)
from rouse.api.inferenceservice.types import PredictorSpec
from rouse.api.quantities import amount

Object = dict[str, Any]


def resource(name: str, **target: Any) -> Object:
    return {"type": "Resource", "resource": {"name": name, "target": target}}


def component(scaling: Object, **fields: Any) -> ComponentSpec:
    return PredictorSpec.model_validate({**fields, "autoScaling": scaling})


def behavior(up: int | None = None, down: int | None = None) -> Object:
    given = {"scaleUp": up, "scaleDown": down}
    return {
        way: {"stabilizationWindowSeconds": seconds}
        for way, seconds in given.items()
        if seconds is not None
    }


@pytest.mark.parametrize(
    ("scaling", "fields", "wanted"),
    [
        ({}, {}, KnativeScaling()),
        (
            {"metrics": [resource("cpu", type="Utilization", averageUtilization=50)]},
            {},
            KnativeScaling("cpu", 50),
        ),
        ({"metrics": [resource("cpu")]}, {"scaleMetric": "cpu"}, KnativeScaling("cpu")),
        (
            {"metrics": [resource("memory", type="AverageValue", averageValue="1536Mi")]},
            {},
            KnativeScaling("memory", 1536),
        ),
        (
            {"metrics": [resource("memory", averageValue="1G")]},
            {},
            KnativeScaling("memory", 954),
        ),
        (
            {"metrics": [resource("cpu")], "behavior": behavior(60, 60)},
            {},
            KnativeScaling("cpu", window_s=60),
        ),
        (
            {"behavior": behavior(0, 120)},
            {"scaleMetric": "rps"},
            KnativeScaling(scale_down_delay_s=120),
        ),
    ],
)
def test_what_a_revision_can_do(scaling: Object, fields: Object, wanted: KnativeScaling) -> None:
    given = component(scaling, **fields)
    assert list(check_knative_scaling(given, "spec.predictor")) == []
    assert knative_scaling(given) == wanted


@pytest.mark.parametrize(
    ("scaling", "path", "message"),
    [
        (
            {"metrics": [{"type": "External"}]},
            "metrics[0].type",
            "needs the mode Standard with KEDA",
        ),
        (
            {"metrics": [{"type": "PodMetric"}]},
            "metrics[0].type",
            "needs the mode Standard with KEDA",
        ),
        (
            {"metrics": [resource("cpu"), resource("memory", averageValue="1Gi")]},
            "metrics",
            "has 2 metrics, and Knative scales on one",
        ),
        (
            {"metrics": [resource("cpu", type="AverageValue", averageValue="500m")]},
            "metrics[0].resource.target.type",
            "write Utilization and averageUtilization",
        ),
        (
            {"metrics": [resource("cpu", averageValue="500m")]},
            "metrics[0].resource.target.averageValue",
            "use averageUtilization",
        ),
        (
            {"metrics": [resource("memory")]},
            "metrics[0].resource.target.averageValue",
            "is required",
        ),
        (
            {"metrics": [resource("memory", averageValue="-1")]},
            "metrics[0].resource.target.averageValue",
            "nothing to scale at",
        ),
        (
            {"metrics": [resource("cpu")], "behavior": behavior(down=60)},
            "behavior.scaleUp.stabilizationWindowSeconds",
            "is not given and that of scaleDown 60",
        ),
        (
            {"metrics": [resource("cpu")], "behavior": behavior(60, 30)},
            "behavior.scaleUp.stabilizationWindowSeconds",
            "make them equal",
        ),
        (
            {"behavior": behavior(up=30)},
            "behavior.scaleUp.stabilizationWindowSeconds",
            "Knative scales up at once",
        ),
        (
            {"behavior": {"scaleDown": {"selectPolicy": "Disabled"}}},
            "behavior.scaleDown.selectPolicy",
            "Knative has no such setting",
        ),
    ],
)
def test_what_it_cannot_do_is_said(scaling: Object, path: str, message: str) -> None:
    found = {each.path: each.message for each in check_knative_scaling(component(scaling), "spec")}
    assert message in found[f"spec.autoScaling.{path}"]


def test_a_window_out_of_knatives_bounds_is_refused() -> None:
    given = component({"metrics": [resource("cpu")], "behavior": behavior(2, 2)})
    found = [each.message for each in check_knative_scaling(given, "spec")]
    assert found == ["2 is out of range in the mode Knative: 6 to 3600"] * 2


def test_a_second_metric_beside_it_is_refused() -> None:
    given = component({"metrics": [resource("cpu")]}, scaleMetric="rps")
    [found] = check_knative_scaling(given, "spec")
    assert found.path == "spec.scaleMetric"
    assert "keep one of them" in found.message


@pytest.mark.parametrize(
    ("quantity", "number"), [("1Gi", 1024**3), ("500m", 0.5), (2, 2), ("1.5k", 1500), ("1e3", 1000)]
)
def test_a_quantity_is_a_number(quantity: object, number: float) -> None:
    assert float(amount(quantity)) == number
