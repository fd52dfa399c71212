"""The annotations by which a Prometheus without an operator finds pods, as KServe writes them."""

from __future__ import annotations

from rouse.api.base import Object

__all__ = ["SCRAPING", "with_scraping"]

SCRAPING = "serving.kserve.io/enable-prometheus-scraping"
"""``true``: the pod says where its metrics are."""

_PORT = "prometheus.kserve.io/port"
_PATH = "prometheus.kserve.io/path"
_QUEUE_PROXY = "queue-proxy"
_QUEUE_PROXY_PORT = "9091"
_MODEL_PORT = "8080"
_DEFAULT_PATH = "/metrics"


def with_scraping(pod: Object) -> Object:
    """Return the pod with ``prometheus.io/scrape``, ``port`` and ``path``, if it asks for them.

    The metrics are those of the model server where its runtime says their port, else those of
    Knative's queue-proxy. What the pod says itself stays.
    """
    annotations = pod["metadata"].get("annotations") or {}
    if annotations.get(SCRAPING, "").lower() != "true":
        return pod
    containers = {each["name"] for each in pod["spec"].get("containers") or ()}
    port = _QUEUE_PROXY_PORT if _QUEUE_PROXY in containers else _MODEL_PORT
    found = {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": annotations.get(_PORT, port),
        "prometheus.io/path": annotations.get(_PATH, _DEFAULT_PATH),
    }
    metadata = {**pod["metadata"], "annotations": {**found, **annotations}}
    return {**pod, "metadata": metadata}
