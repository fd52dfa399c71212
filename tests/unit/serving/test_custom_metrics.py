"""Metrics of user code beside the server's."""

from __future__ import annotations

import pytest

from predictors.serving import metrics


def test_they_are_shown() -> None:
    metrics.counter("rows_seen_total", "Rows.").inc(2, kind="new")
    metrics.counter("rows_seen_total").inc(kind="new")
    metrics.gauge("drift", "How far.").set(0.25)
    metrics.histogram("scores", "Scores.", (0.5, 1.0)).observe(0.75)
    lines = metrics.ServerMetrics().text().decode().splitlines()
    assert "# HELP rows_seen_total Rows." in lines
    assert 'rows_seen_total{kind="new"} 3.0' in lines
    assert "drift 0.25" in lines
    assert 'scores_bucket{le="0.5"} 0' in lines
    assert 'scores_bucket{le="1.0"} 1' in lines
    assert "scores_count 1" in lines


def test_what_is_refused() -> None:
    metrics.gauge("a_gauge")
    with pytest.raises(ValueError, match="metric a_gauge is a gauge already"):
        metrics.counter("a_gauge")
    with pytest.raises(ValueError, match="'no name' is no metric's name"):
        metrics.counter("no name")
    with pytest.raises(ValueError, match="cannot grow by -1"):
        metrics.counter("grows_total").inc(-1)
