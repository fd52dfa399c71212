from __future__ import annotations

from predictors.serving.inference import InferenceResponse
from predictors.serving.metrics import Histogram, ServerMetrics


def test_buckets_are_cumulative() -> None:
    histogram = Histogram()
    for seconds in (0.00001, 0.0001, 0.3, 100.0):
        histogram.observe(seconds)
    lines = list(histogram.lines("x", 'model_name="m"'))
    assert 'x_bucket{model_name="m",le="5e-05"} 1' in lines
    assert 'x_bucket{model_name="m",le="0.0001"} 2' in lines
    assert 'x_bucket{model_name="m",le="0.5"} 3' in lines
    assert 'x_bucket{model_name="m",le="10.0"} 3' in lines
    assert 'x_bucket{model_name="m",le="+Inf"} 4' in lines
    assert 'x_count{model_name="m"} 4' in lines


def test_names_are_those_of_kserve() -> None:
    metrics = ServerMetrics(['a"b'])
    metrics.models['a"b'].succeeded(
        InferenceResponse((), preprocess=0.001, predict=0.002, postprocess=0.003)
    )
    metrics.models['a"b'].failed(400)
    text = metrics.text().decode()
    for part in ("preprocess", "predict", "postprocess"):
        assert f"# TYPE request_{part}_seconds histogram" in text
        assert f'request_{part}_seconds_count{{model_name="a\\"b"}} 1' in text
    assert 'request_failures_total{model_name="a\\"b",status="400"} 1' in text
    assert text.endswith("\n")
