"""A real engine for the whole session, a client of it, and names nobody else uses."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from perf.disagree import Disagreement, find_disagreement
from perf.harness import SHORT_WINDOWS, Engine, train_iris
from perf.harness import engine as running_engine
from rouse.kube.objects import Object
from rouse.sdk import AsyncClient

_NUMBERS = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/e2e/" in str(item.path):
            item.add_marker(pytest.mark.e2e)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(180))


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """An engine with short autoscaler windows, and the example's models in its volumes."""
    with running_engine(windows=SHORT_WINDOWS) as up:
        train_iris(up)
        yield up


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(engine.home.kubeconfig, gateway=engine.gateway) as connected:
        yield connected


@pytest.fixture
def name() -> str:
    return f"iris-{next(_NUMBERS)}"


@pytest.fixture(scope="session")
def told_apart(engine: Engine) -> Disagreement:
    """A row on which the two example models disagree."""
    return find_disagreement(engine.home.volumes / "default" / "models")


@pytest.fixture
async def deploy(client: AsyncClient) -> AsyncIterator[Callable[[Object], Object]]:
    """Makes services that are deleted when the test ends."""
    made: list[Object] = []

    def remember(isvc: Object) -> Object:
        made.append(isvc)
        return isvc

    yield remember
    for isvc in made:
        await client.delete(isvc)
