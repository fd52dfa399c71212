from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from rouse.embedded.node import ImageTable, Node, NodePaths, WarmPool
from rouse.embedded.node.images import BUILT_IN
from tests.unit.node.harness import IMAGES, MakePod, Watched, quick_backoff, unreachable_client


@pytest.fixture
def paths() -> Iterator[NodePaths]:
    # a socket path must be short, and tmp_path need not be
    home = Path(tempfile.mkdtemp(prefix="node"))
    yield NodePaths(home)
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def make_pod() -> MakePod:
    def make(
        image: str = "test/warm:v1", name: str = "iris-1", *args: str, **container: Any
    ) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {
                "nodeName": "rouse-local",
                "containers": [
                    {
                        "name": "kserve-container",
                        "image": image,
                        "args": ["--model_name=iris", "--port=8080", *args],
                        "ports": [{"containerPort": 8080}],
                        **container,
                    }
                ],
            },
        }

    return make


@pytest.fixture
async def watched(paths: NodePaths) -> AsyncIterator[Watched]:
    """A started node whose API is away."""
    client = unreachable_client()
    images = ImageTable(paths.images_file, built_in={**BUILT_IN, **IMAGES})
    warm = WarmPool(paths, spawn_s=0.5)
    node = Node(client, paths, images=images, warm=warm, backoff=quick_backoff)
    await node.start()
    watched = Watched(node, paths, warm)
    yield watched
    await node.stop(2)
    await client.aclose()
