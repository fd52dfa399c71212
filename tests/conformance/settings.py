"""A setting of rouse-config that is another one for a moment."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
import yaml

from rouse.errors import NotFoundError
from rouse.kube.resources import CONFIG_MAPS
from tests.conformance.cluster import Cluster

__all__ = ["SHARED", "changed"]

SHARED: Final = "rouse-config is one for all namespaces"
_NAME, _PLACE = "rouse-config", "rouse-system"


@asynccontextmanager
async def changed(
    cluster: Cluster, key: str, change: Callable[[dict[str, Any]], Mapping[str, Any]]
) -> AsyncIterator[None]:
    """Change the mapping under a key while the block runs; skips where there are no settings.

    Afterwards the settings are as they were, and whose they were: an installation leaves alone what
    somebody else has set.
    """
    try:
        live = await cluster.kube.get(CONFIG_MAPS, _NAME, _PLACE)
    except NotFoundError:
        pytest.skip(f"there is no ConfigMap {_NAME} in {_PLACE}")
    before = (live.get("data") or {}).get(key)
    text = yaml.safe_dump(dict(change(yaml.safe_load(before or "{}"))))
    owners = {"managedFields": live["metadata"].get("managedFields") or []}
    try:
        await _patch(cluster, {"data": {key: text}})
        yield
    finally:
        await _patch(cluster, {"data": {key: before}})
        # Whose fields are is only taken over where a write changes none of them.
        await _patch(cluster, {"metadata": owners})


async def _patch(cluster: Cluster, patch: Mapping[str, Any]) -> None:
    await cluster.kube.patch(CONFIG_MAPS, _NAME, patch, namespace=_PLACE)
