"""The image that this process runs, for pods that are to run it too."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from rouse.errors import ApiError
from rouse.kube.client import KubeClient
from rouse.kube.objects import Key
from rouse.kube.resources import PODS

__all__ = ["own_image"]

logger = logging.getLogger(__name__)

_CONTAINER: Final = "controller"
"""Its name in the manifests; a mesh puts others beside it."""
_PATIENCE_S: Final = 5.0


async def own_image(client: KubeClient, pod: Key | None) -> str:
    """Return the image of the pod's controller; empty, and logged, where that cannot be told.

    ``pod`` None: this runs in none.
    """
    if pod is None:
        return ""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            live = await client.get(PODS, pod.name, pod.namespace)
    except (ApiError, TimeoutError) as error:
        logger.warning("which image this is cannot be told: pod %s: %s", pod, error)
        return ""
    images = {each["name"]: each["image"] for each in live["spec"]["containers"]}
    if _CONTAINER not in images:
        logger.warning("which image this is cannot be told: pod %s has no %s", pod, _CONTAINER)
    return str(images.get(_CONTAINER, ""))
