"""The rules of a runtime that its types cannot say."""

from __future__ import annotations

from collections.abc import Iterator

from rouse.api.inferenceservice.multinode import check_size_variables
from rouse.api.names import is_dns_subdomain
from rouse.api.pods.checks import check_containers, check_labels, check_unique
from rouse.api.servingruntime.types import (
    ClusterServingRuntime,
    ServingRuntime,
    ServingRuntimeSpec,
    SupportedModelFormat,
)
from rouse.errors import FieldError

__all__ = ["validate"]


def validate(runtime: ServingRuntime | ClusterServingRuntime) -> list[FieldError]:
    """Return every finding about a runtime."""
    spec = runtime.spec
    findings = [
        *check_labels(spec.labels, "spec.labels"),
        *check_containers(spec.containers, "spec.containers"),
        *check_unique([v.name for v in spec.volumes or ()], "spec.volumes"),
        *_formats(spec.supported_model_formats or []),
        *_workers(spec),
    ]
    if not is_dns_subdomain(runtime.metadata.name) and not runtime.metadata.generate_name:
        findings.append(
            FieldError(
                "metadata.name",
                f'"{runtime.metadata.name}" cannot be a name; use lower case letters, digits, '
                "hyphens and dots",
            )
        )
    return findings


def _formats(formats: list[SupportedModelFormat]) -> Iterator[FieldError]:
    path = "spec.supportedModelFormats"
    seen: set[tuple[str, str | None]] = set()
    for index, each in enumerate(formats):
        key = (each.name, each.version)
        if key in seen:
            yield FieldError(
                f"{path}[{index}]", f'"{each.name}" is there already with the same version'
            )
        seen.add(key)


def _workers(spec: ServingRuntimeSpec) -> Iterator[FieldError]:
    workers, path = spec.worker_spec, "spec.workerSpec"
    if workers is None:
        return
    if len(workers.containers) > 1:
        yield FieldError(
            f"{path}.containers",
            f"has {len(workers.containers)} containers; a worker has one, worker-container",
        )
    yield from check_containers(workers.containers, f"{path}.containers")
    yield from check_labels(workers.labels, f"{path}.labels")
    yield from check_unique([v.name for v in workers.volumes or ()], f"{path}.volumes")
    for index, each in enumerate(spec.containers):
        yield from check_size_variables(each.env, f"spec.containers[{index}].env")
