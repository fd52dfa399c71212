from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.unit.mesh.harness import Bench, running


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose path is short enough for unix sockets."""
    with tempfile.TemporaryDirectory(prefix="rm-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
async def bench(short_path: Path) -> AsyncIterator[Bench]:
    async with running(Bench(short_path)) as started:
        yield started
