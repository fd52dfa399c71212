"""Prometheus' text format."""

from __future__ import annotations

from rouse.daemon.registry import Family, Histogram, render


def test_counters_and_gauges_with_labels() -> None:
    family = Family("counter", "n_total", "How many.", ("verb", "code"))
    family.add("get", "200")
    family.add("get", "200", by=1.5)
    family.add('a"b\\c\nd', "0")
    assert render([family]).splitlines() == [
        "# HELP n_total How many.",
        "# TYPE n_total counter",
        'n_total{verb="a\\"b\\\\c\\nd",code="0"} 1',
        'n_total{verb="get",code="200"} 2.5',
    ]


def test_a_histogram_counts_cumulatively() -> None:
    histogram = Histogram("s", "Seconds.", ("verb",), bounds=(0.1, 1))
    for seconds in (0.1, 0.5, 2.0):
        histogram.observe(seconds, "get")
    assert render([histogram]).splitlines()[2:] == [
        's_bucket{verb="get",le="0.1"} 1',
        's_bucket{verb="get",le="1"} 2',
        's_bucket{verb="get",le="+Inf"} 3',
        's_sum{verb="get"} 2.6',
        's_count{verb="get"} 3',
    ]


def test_openmetrics_has_exemplars() -> None:
    histogram = Histogram("s", "Seconds.", ("verb",), bounds=(0.1, 1))
    histogram.observe(0.5, "get", trace_id="ab")
    histogram.observe(0.1, "get")
    counter = Family("counter", "n_total", "How many.")
    counter.add()
    assert render([histogram, counter], openmetrics=True).splitlines() == [
        "# HELP s Seconds.",
        "# TYPE s histogram",
        's_bucket{verb="get",le="0.1"} 1',
        's_bucket{verb="get",le="1.0"} 2 # {trace_id="ab"} 0.5',
        's_bucket{verb="get",le="+Inf"} 2',
        's_sum{verb="get"} 0.6',
        's_count{verb="get"} 2',
        "# HELP n How many.",
        "# TYPE n counter",
        "n_total 1",
        "# EOF",
    ]
    assert "#" not in "".join(histogram.lines())


def test_what_is_dropped_is_told_no_more() -> None:
    histogram = Histogram("s", "Seconds.", ("verb",))
    histogram.observe(0.5, "get", trace_id="ab")
    histogram.drop("get")
    histogram.drop("put")
    assert list(histogram.lines(openmetrics=True)) == []


def test_without_labels() -> None:
    gauge = Family("gauge", "rouse_leader", "Leads.")
    gauge.set(1.0)
    assert render([gauge]).splitlines()[-1] == "rouse_leader 1"
