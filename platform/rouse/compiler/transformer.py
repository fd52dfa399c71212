"""The pods of a transformer: the user's, told where the predictor is."""

from __future__ import annotations

from rouse.api.inferenceservice.types import InferenceService, TransformerSpec
from rouse.compiler.agent import attach_agent
from rouse.compiler.arguments import caller_arguments, with_arguments
from rouse.compiler.canaries import split_host
from rouse.compiler.component import TRANSFORMER, ResolvedComponent, pod_fields, resolve
from rouse.compiler.config import Config
from rouse.compiler.fetching import attach_own_storage

__all__ = ["resolve_transformer"]


def resolve_transformer(
    isvc: InferenceService, transformer: TransformerSpec, config: Config
) -> ResolvedComponent:
    """Return the (defaulted) transformer with its pod. Raises CompileError."""
    pod = pod_fields(transformer)
    pod["containers"] = with_arguments(
        pod["containers"], caller_arguments(isvc, split_host(isvc, config))
    )
    pod, storage = attach_own_storage(isvc, transformer, pod, config)
    pod, logging = attach_agent(pod, isvc, TRANSFORMER, transformer, own=None, config=config)
    annotations = {**storage, **logging}
    return resolve(isvc, TRANSFORMER, transformer, pod, config=config, annotations=annotations)
