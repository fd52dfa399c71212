"""Which images the nodes of a pool are about to need, and what their being there saves. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from rouse.api.base import Object
from rouse.coldstart.residency import Demand
from rouse.compiler.config import Config
from rouse.compiler.pools import pool_of
from rouse.compiler.storage.names import SOURCE_ANNOTATION

__all__ = ["Use", "server_image", "uses_of"]

_ROUTING: Final = "serving.knative.dev/routingState"
_FORMER: Final = 0.1
"""What a revision counts that gets no requests: it may get them back."""
_FORMER_KEPT: Final = 2


@dataclass(frozen=True, slots=True)
class Use:
    """An image that pods of a pool will be made of."""

    pool: str
    """The name of a node pool; empty: nodes that need no pool to be named."""
    image: str
    demand: Demand
    weight: float = 1.0
    coming: bool = False
    """Whether it is a roll-out's or a canary's: requests are about to go there."""


def uses_of(
    demand: Demand, revisions: Iterable[Object], deployments: Iterable[Object], config: Config
) -> Iterator[Use]:
    """Yield the images of an InferenceService: of what serves, comes next, and was before.

    ``deployments`` are those of mode Standard. Images that need a pull secret of the namespace are
    left out: the DaemonSets are in another one.
    """
    former = 0
    ordered = _newest_first(revisions)
    for at, revision in enumerate(ordered):
        # The newest is the next canary, or serves.
        active = at == 0 or (revision["metadata"].get("labels") or {}).get(_ROUTING) == "active"
        former += not active
        if active or former <= _FORMER_KEPT:
            pod = {"metadata": revision["metadata"], "spec": revision.get("spec") or {}}
            status = revision.get("status") or {}
            uses = _of_pod(pod, _digests(status), demand, 1.0 if active else _FORMER, config)
            # Of a service's first revision the pod that is made with it pulls. Before the digests
            # are known the image is not the one that pods will ask for.
            coming = at == 0 and len(ordered) > 1 and bool(status.get("containerStatuses"))
            yield from (replace(each, coming=coming) for each in uses)
    for deployment in deployments:
        template = (deployment.get("spec") or {}).get("template") or {}
        yield from _of_pod({"metadata": {}, "spec": {}, **template}, {}, demand, 1.0, config)


def server_image(revisions: Iterable[Object]) -> str:
    """Return the image of the newest revision's first container; empty where there is none."""
    for revision in _newest_first(revisions):
        digests = _digests(revision.get("status") or {})
        for container in (revision.get("spec") or {}).get("containers") or ():
            return digests.get(container.get("name", ""), "") or str(container.get("image", ""))
    return ""


def _newest_first(revisions: Iterable[Object]) -> Sequence[Object]:
    def made(revision: Object) -> tuple[str, str]:
        metadata = revision["metadata"]
        return metadata.get("creationTimestamp") or "", metadata["name"]

    return sorted(revisions, key=made, reverse=True)


def _digests(status: Mapping[str, Any]) -> dict[str, str]:
    """What Knative made of the images' tags, by container: pods ask for exactly that."""
    listed = [
        *(status.get("containerStatuses") or ()),
        *(status.get("initContainerStatuses") or ()),
    ]
    return {each.get("name", ""): each["imageDigest"] for each in listed if each.get("imageDigest")}


def _of_pod(
    pod: Object, digests: Mapping[str, str], demand: Demand, weight: float, config: Config
) -> Iterator[Use]:
    spec, annotations = pod["spec"], pod["metadata"].get("annotations") or {}
    if spec.get("imagePullSecrets"):
        return
    pool = pool_of(spec, annotations, config)
    images = [
        digests.get(container.get("name", "")) or container.get("image", "")
        for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))
    ]
    if SOURCE_ANNOTATION in annotations:
        # The pod webhook will have the model fetched by it.
        images.append(config.storage_initializer.image)
    for image in dict.fromkeys(filter(None, images)):
        yield Use(pool, image, demand, weight)
