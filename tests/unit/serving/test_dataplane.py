"""Several models and versions behind one data plane."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from predictors.serving.cache import digest
from predictors.serving.dataplane import DataPlane, IndexEntry
from predictors.serving.errors import (
    DeadlineError,
    InferenceError,
    InvalidInputError,
    LoadFailedError,
    ModelLoadError,
    ModelNotFoundError,
    ModelNotReadyError,
    UnsupportedError,
)
from predictors.serving.inference import InferenceRequest, InferenceResponse
from predictors.serving.model import Model, RequestModel
from predictors.serving.repository.source import ModelSource
from predictors.serving.settings import Limits, PlaneSettings
from predictors.serving.tensors import Tensor


def _ask(*values: float) -> InferenceRequest:
    return InferenceRequest([Tensor("x", np.array([[v, v] for v in values]))], id="7")


class Echo(RequestModel):
    """Sends its inputs back, in parts if asked to; 13 as an id fails."""

    def load(self) -> None:
        """Nothing to load."""

    async def infer(self, request: InferenceRequest) -> InferenceResponse:
        """The inputs."""
        if request.id == "13":
            raise ZeroDivisionError("13")
        if request.id == "slow":
            await asyncio.sleep(30)
        return InferenceResponse(request.inputs)

    async def stream(self, request: InferenceRequest) -> AsyncIterator[InferenceResponse]:
        """The inputs, one by one."""
        for tensor in request.inputs:
            yield InferenceResponse([tensor])


class Shelf:
    """A repository whose models are made by `make`."""

    def __init__(self, make: Callable[[ModelSource], Model], *sources: ModelSource) -> None:
        self.sources: list[ModelSource] = list(sources)
        self._make = make

    def find(self) -> Sequence[ModelSource]:
        """What it has."""
        return self.sources

    def load(self, source: ModelSource) -> Model:
        """A new one."""
        return self._make(source)


async def test_answers_are_signed(model: Any) -> None:
    plane = DataPlane(["double"])
    with pytest.raises(ModelNotReadyError):
        await plane.infer("double", None, _ask(1))
    assert not plane.ready()
    plane.publish(model)
    assert plane.ready()
    answer = await plane.infer("double", "1", _ask(1))
    assert (answer.id, answer.model_name, answer.model_version) == ("7", "double", "1")
    assert answer.outputs[0].array.tolist() == [[2.0, 2.0]]
    assert answer.predict > 0
    with pytest.raises(ModelNotFoundError, match="Model double has no version 2"):
        await plane.infer("double", "2", _ask(1))
    with pytest.raises(ModelNotFoundError):
        await plane.infer("other", None, _ask(1))


async def test_what_does_not_fit_the_signature_never_reaches_the_model(model: Any) -> None:
    plane = DataPlane()
    plane.publish(model)
    with pytest.raises(InvalidInputError):
        await plane.infer("double", None, InferenceRequest([Tensor("x", np.ones((1, 3)))]))
    assert model.calls == []


async def test_a_deadline_that_is_over_runs_nothing(model: Any) -> None:
    plane = DataPlane()
    plane.publish(model)
    request = _ask(1)
    request.deadline = asyncio.get_running_loop().time() - 1
    with pytest.raises(DeadlineError):
        await plane.infer("double", None, request)
    assert model.calls == []


async def test_models_of_whole_requests() -> None:
    limits = Limits(request_seconds=0.05)
    plane = DataPlane(settings=PlaneSettings(limits=limits))
    plane.publish(Echo("echo"))
    answer = await plane.infer("echo", None, _ask(1))
    assert (answer.id, answer.outputs[0].name) == ("7", "x")
    request = InferenceRequest([Tensor("a", np.ones(1)), Tensor("b", np.ones(1))], id="s")
    parts = [part async for part in plane.stream("echo", None, request)]
    assert [(part.id, part.outputs[0].name) for part in parts] == [("s", "a"), ("s", "b")]
    with pytest.raises(InferenceError, match="ZeroDivisionError"):
        await plane.infer("echo", None, InferenceRequest((), id="13"))
    with pytest.raises(DeadlineError):
        await plane.infer("echo", None, InferenceRequest((), id="slow"))
    with pytest.raises(UnsupportedError, match="has no explainer"):
        await plane.explain("echo", None, _ask(1))


async def test_a_model_that_cannot_stream_answers_in_one_part(model: Any) -> None:
    plane = DataPlane()
    plane.publish(model)
    assert len([part async for part in plane.stream("double", None, _ask(1))]) == 1


async def test_the_cache_answers_what_was_asked_before(model: Any) -> None:
    plane = DataPlane(settings=PlaneSettings(cache_bytes=100_000))
    plane.publish(model)
    for values in ([1.0], [2.0], [1.0], [1.0, 2.0]):
        answer = await plane.infer("double", None, _ask(*values))
        assert answer.outputs[0].array[:, 0].tolist() == [2 * value for value in values]
        assert answer.id == "7"
    assert model.calls == [1, 1, 2]
    metrics = plane.metrics.models["double"]
    assert (metrics.hits, metrics.misses) == (1, 3)


async def test_large_requests_are_hashed_beside_the_event_loop(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[bool] = []

    def watched(request: InferenceRequest) -> bytes:
        hashed.append(threading.current_thread() is threading.main_thread())
        return digest(request)

    monkeypatch.setattr("predictors.serving.endpoint.digest", watched)
    plane = DataPlane(settings=PlaneSettings(cache_bytes=100_000_000))
    plane.publish(model)
    for count in (1, 100_000, 100_000):
        await plane.infer("double", None, _ask(*[1.0] * count))
    assert hashed == [True, False, False]
    assert plane.metrics.models["double"].hits == 1


async def test_the_running_version_answers_until_the_new_one_is_ready(make: Any) -> None:
    loads = asyncio.Event()
    loop = asyncio.get_running_loop()
    gate: Any = make().gate
    gate.clear()

    def slow(source: ModelSource) -> Model:
        if source.version == "2":
            loop.call_soon_threadsafe(loads.set)
            assert gate.wait(20)
        made: Model = make(source.name, source.version)
        return made

    shelf = Shelf(slow, ModelSource("m", "1", "."))
    plane = DataPlane(repository=shelf)
    await plane.load("m")
    first: Any = plane.get("m")
    shelf.sources = [ModelSource("m", "2", ".")]
    loading = asyncio.create_task(plane.load("m"))
    await loads.wait()
    assert IndexEntry("m", "2", "LOADING") in plane.index()
    assert (await plane.infer("m", None, _ask(1))).model_version == "1"
    gate.set()
    await loading
    assert (await plane.infer("m", None, _ask(1))).model_version == "2"
    assert plane.versions("m") == ["2"]
    assert await asyncio.to_thread(first.unloaded.wait, 10)


async def test_a_version_that_cannot_be_loaded_leaves_the_old_one(make: Any) -> None:
    def broken(source: ModelSource) -> Model:
        if source.version == "2":
            raise ModelLoadError("model.joblib is empty.")
        made: Model = make(source.name, source.version)
        return made

    shelf = Shelf(broken, ModelSource("m", "1", "."))
    plane = DataPlane(repository=shelf)
    await plane.load("m")
    shelf.sources = [ModelSource("m", "2", ".")]
    with pytest.raises(LoadFailedError, match=r"Model m version 2: model\.joblib is empty"):
        await plane.load("m")
    assert plane.index() == [
        IndexEntry("m", "1", "READY"),
        IndexEntry("m", "2", "UNAVAILABLE", "model.joblib is empty."),
    ]
    assert (await plane.infer("m", None, _ask(1))).model_version == "1"
    with pytest.raises(ModelNotFoundError, match="The repository has no model n"):
        await plane.load("n")


async def test_a_first_load_that_fails_is_told_by_the_index(make: Any) -> None:
    def broken(source: ModelSource) -> Model:
        raise ModelLoadError("no")

    plane = DataPlane(repository=Shelf(broken, ModelSource("m", "1", ".")))
    with pytest.raises(LoadFailedError):
        await plane.load("m")
    assert plane.index() == [IndexEntry("m", "1", "UNAVAILABLE", "no")]
    with pytest.raises(ModelNotFoundError):
        plane.get("m")


async def test_unload_waits_for_requests_in_flight(make: Any) -> None:
    model = make("m")
    model.gate.clear()
    plane = DataPlane(repository=Shelf(lambda source: model, ModelSource("m", "1", ".")))
    await plane.load("m")
    plane.endpoint("m")._scheduler.cost = 1.0
    asked = asyncio.create_task(plane.infer("m", None, _ask(1)))
    assert await asyncio.to_thread(model.entered.acquire, True, 10)
    leaving = asyncio.create_task(plane.unload("m"))
    await asyncio.sleep(0.02)
    assert not leaving.done()
    with pytest.raises(ModelNotFoundError):
        await plane.infer("m", None, _ask(1))
    assert plane.index()[0].state == "UNLOADING"
    model.gate.set()
    await leaving
    assert (await asked).outputs[0].array.tolist() == [[2.0, 2.0]]
    assert model.unloaded.is_set()
    assert plane.index() == [IndexEntry("m", "1", "UNAVAILABLE", "unloaded")]
    assert plane.index(ready_only=True) == []
    await plane.load("m")
    assert plane.ready()


async def test_all_versions_side_by_side(make: Any) -> None:
    sources = [ModelSource("m", version, ".") for version in ("10", "9")]
    plane = DataPlane(repository=Shelf(lambda s: make(s.name, s.version), *sources))
    await plane.load("m")
    assert plane.versions("m") == ["9", "10"]
    assert plane.get("m").version == "10"
    assert plane.get("m", "9").version == "9"


def test_a_plane_that_has_yet_to_look_into_its_repository_is_not_ready() -> None:
    plane = DataPlane()
    assert plane.ready()
    plane.settled = False
    assert not plane.ready()


async def test_names_that_anybody_makes_up_are_not_kept(make: Any) -> None:
    plane = DataPlane(repository=Shelf(lambda source: make()))
    for number in range(50):
        with pytest.raises(ModelNotFoundError):
            await plane.load(f"made-up-{number}")
    assert not plane._locks


async def test_a_server_whose_model_is_loaded_again_stays_ready(make: Any) -> None:
    gate, loads = threading.Event(), threading.Event()

    def slow(source: ModelSource) -> Model:
        loads.set()
        assert gate.wait(20)
        made: Model = make()
        return made

    plane = DataPlane(["double"], repository=Shelf(slow, ModelSource("double", "1", ".")))
    first = asyncio.get_running_loop().create_future()
    starting = asyncio.create_task(plane.first("double", first))
    await asyncio.sleep(0)
    assert await plane.discover() == ["double"]
    assert plane.index() == [IndexEntry("double", "", "LOADING")]
    assert plane.loading()
    again = asyncio.create_task(plane.load("double"))
    await asyncio.sleep(0)
    assert not plane.ready()
    assert not loads.is_set()  # the start comes first
    first.set_result(make())
    await starting
    assert await asyncio.to_thread(loads.wait, 10)
    assert plane.index() == [IndexEntry("double", "1", "LOADING")]
    assert plane.ready()
    assert not plane.loading()  # for the first time
    assert (await plane.infer("double", None, _ask(1))).outputs
    gate.set()
    await again
    assert plane.get("double") is not first.result()


async def test_a_change_is_whole_though_its_client_goes_away(make: Any) -> None:
    model = make("m")
    plane = DataPlane(repository=Shelf(lambda _: model, ModelSource("m", "1", ".")))
    await plane.load("m")
    model.unload = lambda: model.gate.wait(20) and model.unloaded.set()
    model.gate.clear()
    asking = asyncio.create_task(plane.unload("m"))
    async with asyncio.timeout(10):
        while plane.index()[0].state != "UNLOADING":
            await asyncio.sleep(0)
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking
    model.gate.set()
    async with asyncio.timeout(10):
        while plane.index() != [IndexEntry("m", "1", "UNAVAILABLE", "unloaded")]:
            await asyncio.sleep(0)


async def test_a_plane_without_a_repository_loads_nothing(make: Any) -> None:
    plane = DataPlane()
    plane.publish(make())
    with pytest.raises(UnsupportedError, match="no model repository"):
        await plane.load("double")


async def test_a_call_that_outlasts_its_request_ends_before_the_model_is_unloaded(
    make: Any,
) -> None:
    model = make()
    plane = DataPlane(repository=Shelf(lambda _: model))
    plane.publish(model)
    plane.endpoint("double")._scheduler.spent(1.0)  # dear: in a thread from now on
    model.gate.clear()
    asking = asyncio.create_task(plane.infer("double", None, _ask(1)))
    await asyncio.to_thread(model.entered.acquire, timeout=20)
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking
    unloading = asyncio.create_task(plane.unload("double"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not model.unloaded.is_set()
    model.gate.set()
    await unloading
    assert model.unloaded.is_set()


async def test_close_leaves_a_model_that_does_not_end(
    make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    stuck = make("stuck")
    release = threading.Event()
    stuck.unload = lambda: release.wait(20) and None
    plane = DataPlane()
    plane.publish(stuck)
    fine = make("fine")
    plane.publish(fine)
    await plane.close(0.1)
    assert fine.unloaded.is_set()
    assert "model stuck did not unload in 0.1 s" in caplog.text
    release.set()
