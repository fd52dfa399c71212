"""The DaemonSet that has a pool's nodes pull images, and keeps them from being removed. Pure.

One container for each image, in order: an image that cannot be had keeps none of the others, and
the kubelet removes no image that a container uses. The containers run a program that needs nothing
of the image; see `hold`. With image volumes each image is a volume of a container that waits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from rouse.api.base import Object
from rouse.compiler.balloons import BALLOON_PRIORITY
from rouse.compiler.config import CONFIG_NAMESPACE, Config
from rouse.compiler.names import MANAGED_BY, shorten
from rouse.compiler.pools import POOL_ANNOTATION, place

__all__ = [
    "CHANGED",
    "POOL_LABEL",
    "PROGRESS",
    "container_name",
    "images_of",
    "make_daemon_set",
    "pool_of_set",
]

POOL_LABEL: Final = "rouse.dev/pre-pull"
"""Of the DaemonSet and its pods: the name of their pool, or `_ANY`."""
PROGRESS: Final = "rouse.dev/pre-pull-progress"
"""JSON: image -> {"present": nodes, "pulling": nodes, "failed": nodes}."""
CHANGED: Final = "rouse.dev/pre-pull-changed"
"""When the images became what they are, RFC 3339."""
_IMAGES: Final = "rouse.dev/pre-pull-images"
_ANY: Final = "any-node"
_MOST_NAME: Final = 63
_RELEASED: Final = "ghcr.io/rouse/controller:v0.1.0"
_NOBODY: Final = 65534
_FOLDER: Final = "/rouse"
_UNWANTED: Final = ("runtimeClassName", "topologySpreadConstraints")


def make_daemon_set(
    pool: str,
    images: Sequence[str],
    config: Config,
    progress: Mapping[str, Any],
    changed: datetime,
    *,
    own_image: str = "",
) -> Object:
    """Return the DaemonSet of a pool; raises CompileError for a pool that does not exist.

    ``changed`` is when its images became these. ``own_image`` is the controller's, as far as it is
    known.
    """
    name = pool or _ANY
    labels = {"app.kubernetes.io/name": "rouse-pre-pull", POOL_LABEL: name}
    by_volumes = config.pre_pull.image_volumes
    made = _by_volumes(images, config) if by_volumes else _by_program(images, config, own_image)
    pod = place({**_pod(config), **made}, {POOL_ANNOTATION: pool}, config, labels=labels)
    # A GPU's runtime would hand out GPUs to whoever has an image that asks for all of them.
    pod = {key: value for key, value in pod.items() if key not in _UNWANTED}
    annotations = {
        _IMAGES: orjson.dumps(list(images)).decode(),
        PROGRESS: orjson.dumps(progress, option=orjson.OPT_SORT_KEYS).decode(),
        CHANGED: changed.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {
            "name": shorten(f"rouse-pre-pull-{name}", _MOST_NAME),
            "namespace": CONFIG_NAMESPACE,
            "labels": {**MANAGED_BY, **labels},
            "annotations": annotations,
        },
        "spec": {
            "selector": {"matchLabels": labels},
            # An image that cannot be had must not keep the next ones from any node.
            "updateStrategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 0, "maxUnavailable": "100%"},
            },
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def images_of(daemon_set: Mapping[str, Any]) -> list[str]:
    """Return the images of a DaemonSet, in order; none where somebody wrote something else."""
    annotations = daemon_set["metadata"].get("annotations") or {}
    try:
        listed = orjson.loads(annotations.get(_IMAGES) or "[]")
    except orjson.JSONDecodeError:
        return []
    return [str(each) for each in listed] if isinstance(listed, list) else []


def pool_of_set(daemon_set: Mapping[str, Any]) -> str:
    """Return the name of the pool of a DaemonSet, or of one of its pods."""
    name = (daemon_set["metadata"].get("labels") or {}).get(POOL_LABEL, "")
    return "" if name == _ANY else str(name)


def container_name(image: str) -> str:
    """Return the name of the container that stands for an image."""
    return f"image-{hashlib.sha256(image.encode()).hexdigest()[:10]}"


def _pod(config: Config) -> Object:
    secrets = [{"name": name} for name in config.pre_pull.image_pull_secrets]
    return {
        "priorityClassName": BALLOON_PRIORITY,
        # What runs there has nothing to end.
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _NOBODY,
            "runAsGroup": _NOBODY,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        **({"imagePullSecrets": secrets} if secrets else {}),
    }


def _by_volumes(images: Sequence[str], config: Config) -> Object:
    def volume(image: str) -> Object:
        source = {"reference": image, "pullPolicy": "IfNotPresent"}
        return {"name": container_name(image), "image": source}

    def container(image: str) -> Object:
        name = container_name(image)
        mount = {"name": name, "mountPath": "/image", "readOnly": True}
        return {**_container(name, config.balloon_image), "volumeMounts": [mount]}

    return {
        "containers": [container(image) for image in images],
        "volumes": [volume(image) for image in images],
    }


def _by_program(images: Sequence[str], config: Config, own_image: str) -> Object:
    program = f"{_FOLDER}/hold"
    mount = {"name": "program", "mountPath": _FOLDER}
    writer = {
        **_container("program", config.pre_pull.image or own_image or _RELEASED),
        "command": ["python", "-m", "rouse.controllers.prepull.hold", program],
        "resources": {
            "requests": {"cpu": "10m", "memory": "32Mi"},
            "limits": {"cpu": "500m", "memory": "128Mi"},
        },
        "volumeMounts": [mount],
    }

    def container(image: str) -> Object:
        made = _container(container_name(image), image)
        # The image's own folder need not be there for this user.
        run = {"command": [program], "workingDir": "/"}
        return {**made, **run, "volumeMounts": [{**mount, "readOnly": True}]}

    return {
        "initContainers": [writer],
        "containers": [container(image) for image in images],
        "volumes": [{"name": "program", "emptyDir": {"sizeLimit": "1Mi"}}],
    }


def _container(name: str, image: str) -> Object:
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "resources": {
            "requests": {"cpu": "1m", "memory": "4Mi"},
            # What starts a container needs most of it.
            "limits": {"cpu": "100m", "memory": "32Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
