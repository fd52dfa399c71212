"""Annotations over config-autoscaler: values, clamping and findings."""

from __future__ import annotations

import pytest

from rouse.autoscaler import Algorithm, AutoscalerConfig, Metric, parse_config, resolve_spec
from rouse.autoscaler.durations import parse_duration
from rouse.autoscaler.spec import validate_annotations
from rouse.errors import ValidationError

P = "autoscaling.knative.dev/"
CONFIG = AutoscalerConfig()


def test_defaults_are_knatives() -> None:
    spec = resolve_spec({}, CONFIG)
    assert (spec.min_scale, spec.max_scale, spec.initial_scale) == (0, 0, 1)
    assert spec.metric is Metric.CONCURRENCY
    assert spec.algorithm is Algorithm.LINEAR
    assert (spec.stable_window_s, spec.panic_window_s) == (60, 6)
    assert (spec.grace_period_s, spec.pod_retention_s) == (30, 0)
    decider = spec.decider
    assert (decider.total_value, decider.target_value) == (100, 70)
    assert (decider.max_scale_up_rate, decider.max_scale_down_rate) == (1000, 2)
    assert (decider.panic_threshold, decider.target_burst_capacity) == (2.0, 211)


@pytest.mark.parametrize(
    ("annotations", "concurrency", "total", "target"),
    [
        ({}, 0, 100, 70),
        ({}, 10, 10, 7),
        ({"target": "5"}, 0, 5, 3.5),
        ({"target": "5"}, 10, 5, 3.5),
        ({"target": "50"}, 10, 10, 7),  # capped by the container's own limit
        ({"target": "5", "target-utilization-percentage": "100"}, 0, 5, 5),
        ({"target": "0.01", "target-utilization-percentage": "1"}, 0, 0.01, 0.01),
        ({"metric": "rps"}, 10, 200, 140),
        ({"metric": "rps", "target": "50"}, 10, 50, 35),  # no cap: other units
    ],
)
def test_targets(
    annotations: dict[str, str], concurrency: int, total: float, target: float
) -> None:
    decider = resolve_spec({P + k: v for k, v in annotations.items()}, CONFIG, concurrency).decider
    assert decider.total_value == total
    assert decider.target_value == pytest.approx(target)


def test_every_annotation() -> None:
    values = {
        "class": "kpa.autoscaling.knative.dev",
        "metric": "concurrency",
        "min-scale": "2",
        "max-scale": "9",
        "initial-scale": "3",
        "activation-scale": "4",
        "scale-down-delay": "1m30s",
        "window": "40s",
        "panic-window-percentage": "25",
        "panic-threshold-percentage": "150",
        "target-burst-capacity": "-1",
        "scale-to-zero-pod-retention-period": "500ms",
        "metric-aggregation-algorithm": "weighted-exponential",
    }
    spec = resolve_spec({P + k: v for k, v in values.items()}, CONFIG)
    assert (spec.min_scale, spec.max_scale, spec.initial_scale) == (2, 9, 3)
    assert (spec.stable_window_s, spec.panic_window_s, spec.pod_retention_s) == (40, 10, 0.5)
    assert spec.algorithm is Algorithm.WEIGHTED
    decider = spec.decider
    assert (decider.activation_scale, decider.scale_down_delay_s) == (4, 90)
    assert (decider.panic_threshold, decider.target_burst_capacity) == (1.5, -1)


def test_former_spelling_is_understood() -> None:
    assert resolve_spec({P + "minScale": "2", P + "maxScale": "3"}, CONFIG).min_scale == 2


@pytest.mark.parametrize(
    ("window", "percentage", "panic"), [("60s", "10", 6), ("6s", "10", 1), ("45s", "10", 5)]
)
def test_the_panic_window_is_whole_seconds(window: str, percentage: str, panic: float) -> None:
    values = {P + "window": window, P + "panic-window-percentage": percentage}
    assert resolve_spec(values, CONFIG).panic_window_s == panic


@pytest.mark.parametrize(
    ("annotations", "path", "message"),
    [
        ({"min-scale": "-1"}, "min-scale", "must be between 0 and"),
        ({"minScale": "x"}, "minScale", "'x' is no whole number"),
        ({"min-scale": "3", "max-scale": "2"}, "max-scale", "2 is less than min-scale, 3"),
        ({"initial-scale": "0"}, "initial-scale", "allow-zero-initial-scale"),
        ({"activation-scale": "1"}, "activation-scale", "must be between 2"),
        ({"activation-scale": "5", "max-scale": "3"}, "activation-scale", "more than max-scale"),
        ({"activation-scale": "2", "min-scale": "3"}, "activation-scale", "less than min-scale"),
        ({"target": "0.001"}, "target", "must be at least 0.01"),
        ({"target": "nan"}, "target", "must be at least 0.01"),
        ({"target": "many"}, "target", "'many' is no number"),
        ({"target-utilization-percentage": "101"}, "target-utilization-percentage", "[1, 100]"),
        ({"target-burst-capacity": "-2"}, "target-burst-capacity", "at least -1"),
        ({"target-burst-capacity": "-0.5"}, "target-burst-capacity", "or -1 for always"),
        ({"panic-threshold-percentage": "100"}, "panic-threshold-percentage", "[110, 1000]"),
        ({"panic-window-percentage": "0.5"}, "panic-window-percentage", "[1, 100]"),
        ({"window": "5s"}, "window", "between 6s and 3600s"),
        ({"window": "2h"}, "window", "between 6s and 3600s"),
        ({"window": "6.5s"}, "window", "whole seconds"),
        ({"window": "soon"}, "window", "is no duration"),
        ({"scale-down-delay": "-1s"}, "scale-down-delay", "between 0s"),
        ({"scale-to-zero-pod-retention-period": "61m"}, "scale-to-zero-pod-retention-period", "0s"),
        ({"metric": "cpu"}, "metric", "none of concurrency, rps"),
        ({"metric-aggregation-algorithm": "best"}, "metric-aggregation-algorithm", "none of"),
        ({"class": "hpa.autoscaling.knative.dev"}, "class", "not run by this engine"),
    ],
)
def test_findings(annotations: dict[str, str], path: str, message: str) -> None:
    [finding] = validate_annotations({P + k: v for k, v in annotations.items()})
    assert finding.path == f"metadata.annotations[{P}{path}]"
    assert message in finding.message


def test_all_findings_at_once() -> None:
    values = {P + "min-scale": "-1", P + "window": "1s", P + "metric": "cpu"}
    with pytest.raises(ValidationError, match='Revision "iris-00001"') as caught:
        resolve_spec(values, CONFIG, name="iris-00001")
    assert len(caught.value.errors) == 3


def test_config_map() -> None:
    config = parse_config(
        {
            "stable-window": "6s",
            "scale-to-zero-grace-period": "2s",
            "container-concurrency-target-percentage": "80",
            "target-burst-capacity": "0",
            "enable-scale-to-zero": "false",
            "_example": "not read",
        }
    )
    assert (config.stable_window_s, config.grace_period_s) == (6, 2)
    assert (config.target_utilization, config.target_burst_capacity) == (0.8, 0)
    assert config.enable_scale_to_zero is False


def test_config_map_fraction_below_one_is_a_fraction() -> None:
    config = parse_config({"container-concurrency-target-percentage": "0.5"})
    assert config.target_utilization == 0.5


def test_config_map_findings() -> None:
    with pytest.raises(ValidationError) as caught:
        parse_config({"stable-window": "1s", "initial-scale": "0", "max-scale-up-rate": "fast"})
    paths = {error.path for error in caught.value.errors}
    assert paths == {"data[stable-window]", "data[initial-scale]", "data[max-scale-up-rate]"}


def test_the_clusters_limit_holds_for_annotations() -> None:
    config = parse_config({"max-scale": "5", "max-scale-limit": "10"})
    assert resolve_spec({}, config).max_scale == 5
    with pytest.raises(ValidationError, match="cluster's limit of 10"):
        resolve_spec({P + "max-scale": "11"}, config)


@pytest.mark.parametrize(
    ("burst", "initial", "excess"), [("0", "1", 0), ("-1", "1", -1), ("211", "3", 89)]
)
def test_burst_capacity_before_the_first_decision(burst: str, initial: str, excess: int) -> None:
    values = {P + "target-burst-capacity": burst, P + "initial-scale": initial}
    assert resolve_spec(values, CONFIG).initial_excess_burst_capacity == excess


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("30s", 30), ("1m30s", 90), ("1h", 3600), ("500ms", 0.5), ("-2s", -2), (".5s", 0.5)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "s", "1s1", "1 s", "1d", "--1s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        parse_duration(text)
