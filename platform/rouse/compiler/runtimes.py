"""Choosing the runtime that serves a model, by KServe's rules.

Beside them: a runtime may answer to other names too (`ALIASES`), and a model that asks for a GPU
gets the GPU variant of its runtime, where there is one (`VARIANT_OF`, `VARIANT_RESOURCES`).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from rouse.api import servingruntime
from rouse.api.base import Object
from rouse.api.inferenceservice.lifecycle import Reason
from rouse.api.inferenceservice.types import ModelFormat, ModelSpec
from rouse.api.servingruntime import ServingRuntimeSpec, SupportedModelFormat
from rouse.compiler.errors import CompileError
from rouse.compiler.pools import gpus_of
from rouse.errors import ValidationError

__all__ = [
    "ALIASES",
    "VARIANT_OF",
    "VARIANT_RESOURCES",
    "Runtime",
    "RuntimeSet",
    "select_runtime",
]

ALIASES = "rouse.dev/aliases"
"""Annotation of a runtime: names, between commas, it answers to where no runtime has them."""
VARIANT_OF = "rouse.dev/gpu-variant-of"
"""Annotation of a runtime: the name of the one it replaces for models that ask for a GPU."""
VARIANT_RESOURCES = "rouse.dev/gpu-resources"
"""Annotation of such a variant: its GPUs' resource names, between commas; ``*`` is any text."""

_PROTOCOLS = ("v1", "v2", "grpc-v1", "grpc-v2")
_CLUSTER = ""


@dataclass(frozen=True, slots=True)
class Runtime:
    """A runtime; ``namespace`` is empty for one of the cluster. ``fields`` is its spec as JSON."""

    name: str
    namespace: str
    created: str
    spec: ServingRuntimeSpec
    fields: Object
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The kind of its object."""
        return "ServingRuntime" if self.namespace else "ClusterServingRuntime"

    def formats(self, wanted: ModelFormat) -> Iterator[SupportedModelFormat]:
        """Yield the formats of the runtime that are the wanted one."""
        for each in self.spec.supported_model_formats or ():
            if each.name == wanted.name and wanted.version in (None, each.version):
                yield each

    def is_called(self, name: str) -> bool:
        """Whether the name is one of the runtime's aliases."""
        return name in _listing(self.annotations.get(ALIASES, ""))

    def replaces(self, other: Runtime, gpus: frozenset[str]) -> bool:
        """Whether the runtime is the variant of another one for these GPUs."""
        if self.namespace != other.namespace or self.annotations.get(VARIANT_OF) != other.name:
            return False
        known = _listing(self.annotations.get(VARIANT_RESOURCES, "*"))
        return any(fnmatchcase(gpu, each) for gpu in gpus for each in known)

    def speaks(self, protocol: str) -> bool:
        """Whether the runtime speaks the protocol; one that names none speaks every one."""
        return not self.spec.protocol_versions or protocol in self.spec.protocol_versions


@dataclass(frozen=True, slots=True)
class RuntimeSet:
    """The runtimes there are, by namespace (empty for the cluster's) and name.

    ``invalid`` holds, in the same way, why a runtime cannot be used.
    """

    runtimes: Mapping[tuple[str, str], Runtime] = field(default_factory=dict)
    invalid: Mapping[tuple[str, str], str] = field(default_factory=dict)

    @classmethod
    def of(cls, objects: Iterable[Mapping[str, Any]]) -> RuntimeSet:
        """Build the set from ServingRuntime and ClusterServingRuntime objects."""
        runtimes: dict[tuple[str, str], Runtime] = {}
        invalid: dict[tuple[str, str], str] = {}
        for obj in objects:
            metadata = obj["metadata"]
            namespace = metadata.get("namespace", "") if obj["kind"] == "ServingRuntime" else ""
            key = (namespace, metadata["name"])
            try:
                spec = servingruntime.parse(dict(obj)).spec
            except ValidationError as error:
                invalid[key] = str(error)
                continue
            created = metadata.get("creationTimestamp", "")
            annotations = metadata.get("annotations") or {}
            fields = spec.to_object()
            runtimes[key] = Runtime(key[1], namespace, created, spec, fields, annotations)
        return cls(runtimes, invalid)

    def named(self, name: str, namespace: str, wanted: ModelFormat) -> Runtime | None:
        """Return the runtime of that name: the namespace's own before the cluster's.

        Where there is none, of those with that alias the one that serves the wanted format.
        """
        found = self.runtimes.get((namespace, name)) or self.runtimes.get((_CLUSTER, name))
        if found is not None:
            return found
        called = [each for each in self.seen_from(namespace) if each.is_called(name)]
        called.sort(key=lambda each: (not any(each.formats(wanted)), not each.namespace, each.name))
        return called[0] if called else None

    def seen_from(self, namespace: str) -> list[Runtime]:
        """Return the runtimes an InferenceService of the namespace may use."""
        return [r for r in self.runtimes.values() if r.namespace in (_CLUSTER, namespace)]


def select_runtime(
    model: ModelSpec, namespace: str, runtimes: RuntimeSet, *, with_workers: bool = False
) -> Runtime:
    """Return the runtime a (defaulted) model asks for, or the best one for its format.

    A model that asks for a GPU gets the variant of that runtime for it, if there is one.
    ``with_workers``: the model is served on several nodes. Runtimes for that are chosen only then.
    Raises CompileError that says what there is and what to do.
    """
    if model.runtime:
        chosen = _named(model, model.runtime, namespace, runtimes)
    else:
        chosen = _best(model, namespace, runtimes, with_workers=with_workers)
    chosen = _variant(chosen, model, runtimes)
    if with_workers and chosen.spec.worker_spec is None:
        raise CompileError(
            Reason.INVALID_SPEC,
            f'spec.predictor.workerSpec: the {chosen.kind} "{chosen.name}" has no workers '
            "(spec.workerSpec); name one that has, or leave out model.runtime",
        )
    return chosen


def _variant(chosen: Runtime, model: ModelSpec, runtimes: RuntimeSet) -> Runtime:
    resources = model.resources
    gpus = gpus_of([{"resources": resources.to_object()}]) if resources is not None else ()
    if not gpus:
        return chosen
    variants = [
        each
        for each in runtimes.seen_from(chosen.namespace)
        if each.replaces(chosen, gpus)
        and not each.spec.disabled
        and each.speaks(_protocol(model))
        and any(each.formats(model.model_format))
    ]
    return min(variants, key=lambda each: each.name, default=chosen)


def _best(model: ModelSpec, namespace: str, runtimes: RuntimeSet, *, with_workers: bool) -> Runtime:
    usable = [
        each
        for each in runtimes.seen_from(namespace)
        if (each.spec.worker_spec is not None) == with_workers
    ]
    candidates = [
        (runtime, each)
        for runtime in usable
        if not runtime.spec.disabled
        and not runtime.spec.multi_model
        and runtime.speaks(_protocol(model))
        for each in runtime.formats(model.model_format)
        if each.auto_select
    ]
    if not candidates:
        raise CompileError(Reason.NO_SUPPORTING_RUNTIME, _nothing_found(model, usable))
    # Sorts are stable: the last one decides first.
    candidates.sort(key=lambda found: found[0].name)
    candidates.sort(key=lambda found: found[0].created, reverse=True)
    candidates.sort(key=_rank)
    return candidates[0][0]


def _rank(candidate: tuple[Runtime, SupportedModelFormat]) -> tuple[bool, float, int]:
    runtime, each = candidate
    priority = -each.priority if each.priority is not None else 1
    known = set(runtime.spec.protocol_versions or _PROTOCOLS) & set(_PROTOCOLS)
    lowest = min(map(_PROTOCOLS.index, known), default=len(_PROTOCOLS))
    return (not runtime.namespace, priority, lowest)


def _protocol(model: ModelSpec) -> str:
    return model.protocol_version or _PROTOCOLS[0]


def _named(model: ModelSpec, name: str, namespace: str, runtimes: RuntimeSet) -> Runtime:
    runtime = runtimes.named(name, namespace, model.model_format)
    where = "spec.predictor.model.runtime"
    if runtime is None:
        known = sorted({each.name for each in runtimes.seen_from(namespace)})
        broken = runtimes.invalid.get((namespace, name)) or runtimes.invalid.get((_CLUSTER, name))
        raise CompileError(
            Reason.RUNTIME_NOT_RECOGNIZED,
            f'{where}: the runtime "{name}" cannot be used: {broken}'
            if broken
            else f'{where}: there is no ServingRuntime in namespace "{namespace}" and no '
            f'ClusterServingRuntime named "{name}"; there are: {", ".join(known) or "none"}',
        )
    if runtime.spec.disabled:
        raise CompileError(
            Reason.RUNTIME_DISABLED,
            f'{where}: the {runtime.kind} "{name}" is disabled; name another one, or remove '
            "spec.disabled from it",
        )
    if next(runtime.formats(model.model_format), None) is None:
        raise CompileError(
            Reason.NO_SUPPORTING_RUNTIME,
            f'{where}: the {runtime.kind} "{name}" does not serve the format '
            f"{_shown(model.model_format)}; it serves: {', '.join(_listed([runtime])) or 'none'}",
        )
    if not runtime.speaks(_protocol(model)):
        raise CompileError(
            Reason.NO_SUPPORTING_RUNTIME,
            f'spec.predictor.model.protocolVersion: the {runtime.kind} "{name}" does not speak '
            f"{_protocol(model)}; it speaks: {', '.join(runtime.spec.protocol_versions or ())}",
        )
    return runtime


def _nothing_found(model: ModelSpec, runtimes: list[Runtime]) -> str:
    usable = [r for r in runtimes if not r.spec.disabled and not r.spec.multi_model]
    listed = _listed(usable)
    fitting = [r for r in usable if next(r.formats(model.model_format), None) is not None]
    wanted = f"spec.predictor.model.modelFormat: no runtime serves {_shown(model.model_format)}"
    if fitting:
        names = ", ".join(sorted(r.name for r in fitting))
        return (
            f"{wanted} by the protocol {_protocol(model)} without being named; set "
            f"spec.predictor.model.runtime or protocolVersion to use one of: {names}"
        )
    known = {each.name for r in usable for each in r.spec.supported_model_formats or ()}
    near = difflib.get_close_matches(model.model_format.name, sorted(known), n=1)
    meant = f' (did you mean "{near[0]}"?)' if near and near[0] != model.model_format.name else ""
    return (
        f"{wanted}{meant}; supported: {', '.join(listed) or 'none'}. Use one of these, or add a "
        "ServingRuntime that lists the format with autoSelect: true"
    )


def _listing(text: str) -> list[str]:
    return [each.strip() for each in text.split(",")]


def _listed(runtimes: Iterable[Runtime]) -> list[str]:
    return sorted({_shown(each) for r in runtimes for each in r.spec.supported_model_formats or ()})


def _shown(wanted: ModelFormat | SupportedModelFormat) -> str:
    return f"{wanted.name} (version {wanted.version})" if wanted.version else wanted.name
