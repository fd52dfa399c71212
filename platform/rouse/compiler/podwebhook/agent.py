"""The sidecar that logs and batches requests for servers that do not."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from rouse.api.base import Object, Strings
from rouse.compiler.config import Config
from rouse.compiler.logstore import LOGGER_ACCOUNT_ANNOTATION, STORE_FLAGS
from rouse.compiler.merge import merge_pod
from rouse.compiler.names import COMPONENT_LABEL, SERVICE_LABEL
from rouse.compiler.podwebhook.containers import (
    HARDENED,
    annotations_of,
    find,
    main_container,
)
from rouse.compiler.storage.attach import with_credentials
from rouse.compiler.storage.credentials import access_of
from rouse.compiler.storage.facts import Facts
from rouse.compiler.storage.names import INTERNAL_PREFIX, TRANSFORMER_CONTAINER

__all__ = ["AGENT_CONTAINER", "AGENT_PORT", "BATCHER", "LOGGER", "with_agent"]

AGENT_CONTAINER = "agent"
AGENT_PORT = 9081
LOGGER = f"{INTERNAL_PREFIX}logger"
BATCHER = f"{INTERNAL_PREFIX}batcher"

_QUEUE_PROXY = "queue-proxy"
_ENDPOINT_LABEL = "endpoint"
_DEFAULT_PORT = 8080
_OPTIONS = {
    "batcher-max-batchsize": "--max-batchsize",
    "batcher-max-latency": "--max-latency",
}


def with_agent(pod: Object, config: Config, facts: Facts) -> Object:
    """Return the pod with the agent between its proxy and its server, if annotations ask for it."""
    annotations = annotations_of(pod)
    spec = pod["spec"]
    if not (LOGGER in annotations or BATCHER in annotations):
        return pod
    if find(spec["containers"], AGENT_CONTAINER):
        return pod
    served = find(spec["containers"], TRANSFORMER_CONTAINER) or main_container(pod)
    served = served or spec["containers"][0]
    agent: Object = {
        "name": AGENT_CONTAINER,
        "image": config.agent.image,
        "args": [*_arguments(pod, annotations, config), "--component-port", str(_port(served))],
        "ports": [{"name": "agent-port", "containerPort": AGENT_PORT, "protocol": "TCP"}],
        "resources": config.agent.to_object(),
        "securityContext": {**HARDENED, **(served.get("securityContext") or {})},
        "readinessProbe": _probe(),
    }
    env = _environment(spec, served)
    if env:
        agent["env"] = env
    containers = [*(_redirected(each) for each in spec["containers"]), agent]
    opened = _opening({**spec, "containers": containers}, annotations, config, facts)
    return {**pod, "spec": opened}


def _opening(spec: Object, annotations: Strings, config: Config, facts: Facts) -> Object:
    """Return the pod's fields with an agent that can open the bucket of its logs.

    As on KServe by the credentials of the pod's account, and over them those of the logger's.
    """
    account = annotations.get(LOGGER_ACCOUNT_ANNOTATION)
    if LOGGER not in annotations or account is None:
        return spec
    own = access_of(spec.get("serviceAccountName", ""), annotations, facts, config)
    return with_credentials(spec, AGENT_CONTAINER, own | access_of(account, {}, facts, config))


def _arguments(pod: Object, annotations: Strings, config: Config) -> Iterator[str]:
    if BATCHER in annotations:
        yield "--enable-batcher"
        for option, flag in _OPTIONS.items():
            value = annotations.get(INTERNAL_PREFIX + option)
            if value:
                yield from (flag, value)
    if LOGGER in annotations:
        yield from _logging(pod, annotations, config)


def _logging(pod: Object, annotations: Strings, config: Config) -> Iterator[str]:
    meta = pod["metadata"]
    labels: Strings = meta.get("labels") or {}
    said = {
        "--log-url": annotations.get(f"{INTERNAL_PREFIX}logger-sink-url")
        or config.logger_default_url,
        "--source-uri": meta.get("name") or meta.get("generateName", ""),
        "--log-mode": annotations.get(f"{INTERNAL_PREFIX}logger-mode", "all"),
        "--inference-service": labels.get(SERVICE_LABEL, ""),
        "--namespace": meta.get("namespace", ""),
        "--endpoint": labels.get(_ENDPOINT_LABEL, ""),
        "--component": labels.get(COMPONENT_LABEL, ""),
    }
    for flag, value in said.items():
        yield from (flag, value)
    headers = annotations.get(f"{INTERNAL_PREFIX}logger-metadata-headers")
    if headers:
        yield from ("--metadata-headers", headers)
    wanted = annotations.get(f"{INTERNAL_PREFIX}logger-metadata-annotations")
    if wanted:
        pairs = [f"{key}={annotations[key]}" for key in wanted.split(",") if key in annotations]
        yield from ("--metadata-annotations", ",".join(pairs))
    for name, flag in STORE_FLAGS.items():
        if annotations.get(name):
            yield from (flag, annotations[name])


def _environment(spec: Object, served: Object) -> list[Object]:
    """The agent answers the questions that the queue proxy has, or those that the kubelet had."""
    proxy = find(spec["containers"], _QUEUE_PROXY)
    if proxy is not None:
        return list(proxy.get("env") or ())
    probe = served.get("readinessProbe") or {}
    if "httpGet" in probe or "tcpSocket" in probe:
        text = orjson.dumps(probe, option=orjson.OPT_SORT_KEYS).decode()
        return [{"name": "SERVING_READINESS_PROBE", "value": text}]
    return []


def _redirected(container: Object) -> Object:
    """The queue proxy sends requests to the agent instead of the server."""
    if container["name"] != _QUEUE_PROXY:
        return container
    return merge_pod(container, {"env": [{"name": "USER_PORT", "value": str(AGENT_PORT)}]})


def _port(container: Object) -> int:
    ports = container.get("ports")
    return int(ports[0]["containerPort"]) if ports else _DEFAULT_PORT


def _probe() -> Object:
    header = {"name": "K-Network-Probe", "value": "queue"}
    return {"httpGet": {"path": "/", "port": AGENT_PORT, "scheme": "HTTP", "httpHeaders": [header]}}
