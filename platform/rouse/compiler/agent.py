"""Logger and batcher: by variables for Rouse's own model servers, by an agent for all others."""

from __future__ import annotations

from rouse.api.base import Object, Strings
from rouse.api.inferenceservice.annotations import LOGGER_SAMPLE
from rouse.api.inferenceservice.component import Batcher, ComponentSpec, Logger
from rouse.api.inferenceservice.lifecycle import Reason
from rouse.api.inferenceservice.types import InferenceService
from rouse.compiler.config import Config
from rouse.compiler.errors import CompileError
from rouse.compiler.logstore import (
    DEFAULT_ACCOUNT,
    LOGGER_ACCOUNT_ANNOTATION,
    LOGGER_CREDENTIALS_ANNOTATION,
    check_bucket,
    store_annotations,
    store_url,
    store_variables,
)
from rouse.compiler.merge import merge_pod

__all__ = ["attach_agent"]

_INTERNAL = "internal.serving.kserve.io"


def attach_agent(
    pod: Object,
    isvc: InferenceService,
    component: str,
    spec: ComponentSpec,
    *,
    own: str | None,
    config: Config,
) -> tuple[Object, Strings]:
    """Return the pod, and annotations for the pod webhook, with logger and batcher attached.

    ``own`` names the container that logs and batches by itself; None when there is none, and the
    webhook puts KServe's agent in.
    """
    logger, batcher = spec.logger, spec.batcher
    if logger is None and batcher is None:
        return pod, {}
    url = _url(logger, component, config, own=own is not None) if logger is not None else ""
    if own is None:
        _check_sample(logger, isvc, component)
        annotations = {**_logger_annotations(logger, url), **_batcher_annotations(batcher, config)}
        return pod, annotations
    variables = {
        **_logger_variables(logger, url, isvc, component),
        **_batcher_variables(batcher, config),
    }
    env = [{"name": name, "value": value} for name, value in variables.items()]
    return merge_pod(pod, {"containers": [{"name": own, "env": env}]}), _access(logger, own)


def _url(logger: Logger, component: str, config: Config, *, own: bool) -> str:
    url = logger.url or store_url(logger) or config.logger_default_url
    if not url:
        raise CompileError(
            Reason.INVALID_SPEC,
            f"spec.{component}.logger.url: is not given, and rouse-config has no loggerDefaultUrl; "
            "give either",
        )
    check_bucket(logger, url, f"spec.{component}.logger", own=own)
    return url


def _check_sample(logger: Logger | None, isvc: InferenceService, component: str) -> None:
    if logger is not None and LOGGER_SAMPLE in isvc.annotations:
        raise CompileError(
            Reason.INVALID_SPEC,
            f"metadata.annotations[{LOGGER_SAMPLE}]: the server of spec.{component} is not one of "
            "Rouse's, and KServe's agent, which logs for it, logs every request; remove the "
            f"annotation, or spec.{component}.logger",
        )


def _access(logger: Logger | None, own: str) -> Strings:
    """What the webhook is asked for so that a server can store its logs itself."""
    if logger is None or logger.storage is None:
        return {}
    account = logger.storage.service_account_name or DEFAULT_ACCOUNT
    return {LOGGER_ACCOUNT_ANNOTATION: account, LOGGER_CREDENTIALS_ANNOTATION: own}


def _logger_variables(
    logger: Logger | None, url: str, isvc: InferenceService, component: str
) -> Strings:
    if logger is None:
        return {}
    variables = {
        "ROUSE_LOGGER_COMPONENT": component,
        "ROUSE_LOGGER_MODE": logger.mode or "all",
        "ROUSE_LOGGER_NAMESPACE": isvc.namespace,
        "ROUSE_LOGGER_SERVICE": isvc.name,
    }
    sample = isvc.annotations.get(LOGGER_SAMPLE)
    if sample is not None:
        variables["ROUSE_LOGGER_SAMPLE"] = sample.strip()
    if logger.storage is None:
        variables["ROUSE_LOGGER_URL"] = url
    if logger.metadata_headers:
        variables["ROUSE_LOGGER_METADATA_HEADERS"] = ",".join(logger.metadata_headers)
    if logger.metadata_annotations:
        variables["ROUSE_LOGGER_METADATA_ANNOTATIONS"] = ",".join(logger.metadata_annotations)
    stored = store_variables(logger, url, namespace=isvc.namespace, name=isvc.name, part=component)
    return {**variables, **stored}


def _batcher_variables(batcher: Batcher | None, config: Config) -> Strings:
    if batcher is None:
        return {}
    return {
        "ROUSE_BATCH_MAX_LATENCY_MS": str(batcher.max_latency or config.batcher_max_latency_ms),
        "ROUSE_BATCH_MAX_SIZE": str(batcher.max_batch_size or config.batcher_max_batch_size),
    }


def _logger_annotations(logger: Logger | None, url: str) -> Strings:
    if logger is None:
        return {}
    annotations = {
        f"{_INTERNAL}/logger": "true",
        f"{_INTERNAL}/logger-mode": logger.mode or "all",
        f"{_INTERNAL}/logger-sink-url": url,
    }
    if logger.metadata_headers:
        annotations[f"{_INTERNAL}/logger-metadata-headers"] = ",".join(logger.metadata_headers)
    if logger.metadata_annotations:
        names = ",".join(logger.metadata_annotations)
        annotations[f"{_INTERNAL}/logger-metadata-annotations"] = names
    return {**annotations, **store_annotations(logger)}


def _batcher_annotations(batcher: Batcher | None, config: Config) -> Strings:
    if batcher is None:
        return {}
    annotations = {
        f"{_INTERNAL}/batcher": "true",
        f"{_INTERNAL}/batcher-max-batchsize": str(
            batcher.max_batch_size or config.batcher_max_batch_size
        ),
        f"{_INTERNAL}/batcher-max-latency": str(
            batcher.max_latency or config.batcher_max_latency_ms
        ),
    }
    if batcher.timeout is not None:
        annotations[f"{_INTERNAL}/batcher-timeout"] = str(batcher.timeout)
    return annotations
