"""How long compiling takes: an InferenceService with transformer and canary, and 10,000 of them.

What is timed is the whole way from the object as the API holds it to the wanted objects and
status: reading, validating, defaulting, choosing the runtime, compiling. One core.
"""

from __future__ import annotations

import argparse
import os
import time
from datetime import UTC, datetime
from functools import partial
from typing import Any

from perf.report import Figure, percentile, publish
from rouse.api.base import Object
from rouse.compiler import Compiled, Config, Observed, RuntimeSet, compile_object
from rouse.errors import RouseError
from rouse.sdk.settings import load_runtimes

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WARM_UP = 50


def service(name: str, storage: str) -> Object:
    """An InferenceService as KServe's users write it, a canary with its own transformer."""
    container = {
        "name": "kserve-container",
        "image": "example.com/transformer:v1",
        "env": [{"name": "FEATURES", "value": "all"}],
        "resources": {"requests": {"cpu": "1", "memory": "1Gi"}},
    }
    model = {
        "modelFormat": {"name": "sklearn"},
        "storageUri": f"s3://models/{storage}",
        "resources": {"requests": {"cpu": "2"}, "limits": {"memory": "4Gi"}},
    }
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": name,
            "namespace": "models",
            "uid": f"uid-{name}",
            "generation": 2,
            "labels": {"team": "a"},
            "annotations": {"autoscaling.knative.dev/window": "60s"},
        },
        "spec": {
            "predictor": {
                "canaryTrafficPercent": 20,
                "minReplicas": 0,
                "maxReplicas": 4,
                "scaleTarget": 10,
                "containerConcurrency": 20,
                "timeout": 60,
                "model": model,
            },
            "transformer": {"minReplicas": 0, "containers": [container]},
        },
    }


def observe(name: str, before: Compiled, after: Compiled) -> Observed:
    """A rollout under way: of each component two ready revisions, the first rolled out."""
    services: dict[str, Object] = {}
    revisions: dict[str, Object] = {}
    components: dict[str, Object] = {}
    for number, compiled in enumerate((before, after), 1):
        for obj in compiled.objects:
            if obj["apiVersion"] != "serving.knative.dev/v1":
                continue
            own = obj["metadata"]["name"]
            revision = f"{own}-{number:05d}"
            revisions[revision] = ready(
                {"kind": "Revision", "spec": {}}, revision, obj["spec"]["template"]["metadata"]
            )
            services[own] = ready({**obj}, own, obj["metadata"])
            services[own]["status"] |= {
                "latestReadyRevisionName": revision,
                "latestCreatedRevisionName": revision,
            }
            component = obj["metadata"]["labels"]["component"]
            first = f"{own}-00001"
            components[component] = {"latestRolledoutRevision": first, "latestReadyRevision": first}
    routes = next((o for o in after.objects if o["kind"] == "VirtualService"), None)
    status = {**before.status, "components": components}
    return Observed(
        knative_services=services,
        revisions=revisions,
        virtual_service=routes,
        previous_status=status,
    )


def ready(obj: Object, name: str, metadata: Object) -> Object:
    return {
        "apiVersion": "serving.knative.dev/v1",
        **obj,
        "metadata": {**metadata, "name": name, "namespace": "models", "generation": 1},
        "status": {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]},
    }


def prepare(name: str, compile_: partial[Compiled]) -> tuple[Object, Observed]:
    """An InferenceService with its canary under way; raises RouseError if it is no canary."""
    first = compile_(service(name, "v1"), observed=Observed())
    canary = service(name, "v2")
    observed = observe(name, first, compile_(canary, observed=Observed()))
    compiled = compile_(canary, observed=observed)
    kinds = [obj["kind"] for obj in compiled.objects]
    if kinds.count("Service") != 3 or "VirtualService" not in kinds:
        raise RouseError(f"{name} does not compile to a canary with a transformer: {kinds}")
    return canary, observed


def measure(services: list[tuple[Object, Observed]], compile_: partial[Compiled]) -> list[float]:
    """Seconds of each compile."""
    seconds = []
    for obj, observed in services:
        began = time.perf_counter()
        compile_(obj, observed=observed)
        seconds.append(time.perf_counter() - began)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    count: int = parser.parse_args().count
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    given: dict[str, Any] = {"runtimes": RuntimeSet.of(load_runtimes(None)), "config": Config()}
    compile_ = partial(compile_object, **given, now=NOW)
    services = [prepare(f"model-{number}", compile_) for number in range(count)]
    measure(services[:WARM_UP], compile_)
    began = time.perf_counter()
    seconds = measure(services, compile_)
    whole = time.perf_counter() - began
    publish(
        "compile",
        [
            Figure("compile_p50_ms", percentile(seconds, 50) * 1e3, "ms", 1),
            Figure("compile_p99_ms", percentile(seconds, 99) * 1e3, "ms"),
            Figure("compile_10k_s", whole * 10_000 / count, "s", 12),
        ],
    )


if __name__ == "__main__":
    main()
