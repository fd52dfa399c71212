from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from rouse.embedded.node import ImageTable, Node, NodePaths, WarmPool
from rouse.embedded.node.images import BUILT_IN
from tests.unit.node.harness import IMAGES, MakePod, Watched, pod, quick_backoff, unreachable_client


@pytest.fixture
def paths() -> Iterator[NodePaths]:
    # a socket path must be short, and tmp_path need not be
    home = Path(tempfile.mkdtemp(prefix="node"))
    yield NodePaths(home)
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def make_pod() -> MakePod:
    return pod


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
