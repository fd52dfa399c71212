"""One cluster for the whole run, a namespace of its own in it, and names nobody else uses.

Collected only with ``--conformance`` (scripts/conformance gives it).
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from rouse.errors import NotFoundError
from rouse.kube.config import connect, load_kubeconfig
from rouse.kube.objects import Object
from rouse.kube.resources import (
    DEPLOYMENTS,
    INFERENCE_GRAPHS,
    INFERENCE_SERVICES,
    NAMESPACES,
    VIRTUAL_SERVICES,
)
from tests.conformance.cluster import Cluster
from tests.conformance.graphs import ECHO_STEP, SECOND_STEP
from tests.conformance.helpers import ECHOING, container
from tests.conformance.models import SECOND, SERVER, Models, make_models, model_server
from tests.conformance.options import Options, add_options, read_options
from tests.conformance.report import Report, about_machine

_NUMBERS = itertools.count(1)
_PER_TEST_S = 300
_MARKS = (
    "embedded_only(reason): what no other cluster can be asked to show",
    "cluster_only(reason): what the embedded engine cannot show",
    "changes_config(reason): changes settings that all namespaces share; on a cluster only with "
    "--change-config",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    for mark in _MARKS:
        config.addinivalue_line("markers", mark)
    if config.getoption("--conformance", default=False):
        options = read_options(config)
        config.stash[_OPTIONS] = options
        file: Path | None = config.getoption("--report")
        if file is not None:
            engine = "the embedded engine" if options.embedded else "a cluster"
            about = {"engine": engine, "ingress": options.ingress, "run on": about_machine()}
            config.pluginmanager.register(Report(file, about), "conformance-report")


_OPTIONS = pytest.StashKey[Options]()


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    return None if config.getoption("--conformance", default=False) else True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if _OPTIONS not in config.stash:
        return
    options = config.stash[_OPTIONS]
    for item in items:
        if inspect.iscoroutinefunction(getattr(item, "function", None)):
            # One loop for the run: the connections of the session live on it.
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
        item.add_marker(pytest.mark.timeout(_PER_TEST_S * options.factor))
        for mark, unfit in (
            ("embedded_only", not options.embedded),
            ("cluster_only", options.embedded),
            ("changes_config", not options.change_config),
        ):
            found = item.get_closest_marker(mark)
            if found is not None and unfit:
                item.add_marker(pytest.mark.skip(reason=f"{mark}: {found.kwargs['reason']}"))


@pytest.fixture(scope="session")
def options(request: pytest.FixtureRequest) -> Options:
    return request.config.stash[_OPTIONS]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def cluster(
    options: Options, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Cluster]:
    """The cluster, with the run's namespace in it and the models at hand."""
    folder = tmp_path_factory.mktemp("models")
    flower = await asyncio.to_thread(make_models, folder)
    models = Models(options.model_uri or f"http://{SERVER}.{options.namespace}", flower)
    # A revision may hold a request for 300 s while it wakes.
    timeout = httpx.Timeout(330, connect=10)
    limits = httpx.Limits(max_connections=256)
    ingress = f"http://{options.ingress}"
    async with (
        connect(load_kubeconfig(options.kubeconfig), field_manager="conformance") as kube,
        httpx.AsyncClient(base_url=ingress, timeout=timeout, limits=limits) as http,
    ):
        made = Cluster(options, kube, http, models)
        await kube.create(namespace_of(options.namespace))
        try:
            if not options.model_uri:
                await serve_models(made, folder)
            yield made
        finally:
            await remove_namespace(made, options.namespace)


def namespace_of(name: str) -> Object:
    labels = {"rouse.dev/conformance": "true"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


async def remove_namespace(cluster: Cluster, name: str) -> None:
    """Delete a namespace and wait until all that was in it is gone."""
    await cluster.kube.delete(NAMESPACES, name)

    async def gone() -> bool:
        try:
            await cluster.kube.get(NAMESPACES, name)
        except NotFoundError:
            return True
        return False

    await cluster.eventually(gone, timeout_s=120)


async def serve_models(cluster: Cluster, folder: Path) -> None:
    """Start the server of the models in the cluster and wait for it."""
    for obj in model_server(folder, cluster.namespace, cluster.options.helper_image):
        await cluster.kube.create(obj)

    def available(deployment: Object) -> bool:
        return bool((deployment.get("status") or {}).get("availableReplicas"))

    await cluster.until_one(DEPLOYMENTS, SERVER, available, timeout_s=180)


@pytest_asyncio.fixture(loop_scope="session")
async def name(cluster: Cluster, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """A name nobody else uses; the service and the graph of that name are deleted afterwards."""
    words = re.sub(r"[^a-z0-9]+", "-", request.function.__name__.removeprefix("test_"))
    given = f"{words[:24].strip('-')}-{next(_NUMBERS)}"
    yield given
    for resource in (INFERENCE_GRAPHS, INFERENCE_SERVICES):
        await cluster.delete(resource, given)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def iris(cluster: Cluster) -> Object:
    """A service that is only read and asked, never changed."""
    return await cluster.deploy(cluster.isvc("iris"))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def iris_v2(cluster: Cluster) -> AsyncIterator[None]:
    """The service of `SECOND_STEP`, which disagrees with iris."""
    name = SECOND_STEP["serviceName"]
    await cluster.deploy(cluster.isvc(name, model=SECOND))
    yield
    await cluster.delete(INFERENCE_SERVICES, name)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def echo(cluster: Cluster) -> AsyncIterator[None]:
    """The service of `ECHO_STEP`, which answers what it was asked."""
    name = ECHO_STEP["serviceName"]
    server = container(ECHOING, cluster.options.helper_image)
    await cluster.deploy(cluster.custom(name, {"minReplicas": 1, "containers": [server]}))
    yield
    await cluster.delete(INFERENCE_SERVICES, name)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def istio(cluster: Cluster, iris: Object) -> None:
    """Skips what needs Rouse's own VirtualServices where ingress is left to Knative."""
    try:
        await cluster.get(VIRTUAL_SERVICES, iris["metadata"]["name"])
    except NotFoundError:
        pytest.skip("needs Istio: ingress is left to Knative here (disableIngressCreation)")
