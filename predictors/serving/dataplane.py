"""The data plane under all protocols: which models there are, and asking one of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, Final, Protocol
from weakref import WeakValueDictionary

from predictors.serving.endpoint import Endpoint
from predictors.serving.errors import (
    LoadFailedError,
    ModelNotFoundError,
    ModelNotReadyError,
    OverloadedError,
    RequestError,
    StartupError,
    UnsupportedError,
)
from predictors.serving.inference import InferenceRequest, InferenceResponse
from predictors.serving.metrics import ServerMetrics
from predictors.serving.model import Model
from predictors.serving.observation import CLIENT_GONE, Observers
from predictors.serving.repository.source import ModelSource, Repository
from predictors.serving.repository.states import IndexEntry, State, States, age, newest
from predictors.serving.scheduling.running import infer
from predictors.serving.settings import PlaneSettings

__all__ = ["DataPlane", "Fellows", "IndexEntry", "infer"]

_log = logging.getLogger(__name__)

_UNLOAD_SECONDS: Final = 60.0


class Fellows(Protocol):
    """The other processes that serve the same models."""

    def changing(self, name: str, *, unloaded: bool) -> AbstractAsyncContextManager[None]:
        """What is done to a model here within the block is done by them too, unless it fails.

        Raises `RequestError` where one of them could not.
        """


class DataPlane:
    """The models of a server, by name and version; without a version the newest one answers.

    `names` are there from the start and answer once their model was published; further ones come
    from `repository`, and a server that has yet to look into it unsets `settled`. One process of
    several that serve the same models sets `fellows`. Protocols tell `observers`, where there are
    any, of each call. All methods run in one event loop.
    """

    def __init__(
        self,
        names: Sequence[str] = (),
        *,
        metrics: ServerMetrics | None = None,
        settings: PlaneSettings | None = None,
        repository: Repository | None = None,
    ) -> None:
        self.metrics = metrics or ServerMetrics(names)
        self.settings = settings or PlaneSettings()
        self.changed: list[Callable[[Model], None]] = []
        self.observers: Observers | None = None
        self.settled = True
        self.fellows: Fellows | None = None
        self._repository = repository
        self._latest: dict[str, Endpoint | None] = dict.fromkeys(names)
        self._versions: dict[str, dict[str, Endpoint]] = {name: {} for name in names}
        self._states = States()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._tasks: set[asyncio.Task[None]] = set()

    def __iter__(self) -> Iterator[str]:
        return iter(self._latest)

    def publish(self, model: Model) -> None:
        """Make a loaded model answer from now on; one of the same version leaves in its favour."""
        model.ready = True
        name, version = model.name, model.version
        versions = self._versions.setdefault(name, {})
        before = versions.get(version)
        versions[version] = Endpoint(model, self.metrics.model(name), self.settings)
        self._latest[name] = versions[newest(versions)]
        self._states.put(name, version, State.READY)
        if before is not None:
            self._leave(before)
        for told in self.changed:
            told(model)

    def ready(self) -> bool:
        """Whether loading is over and some model answers, or none was asked for.

        One that is loaded again answers meanwhile.
        """
        if self.loading():
            return False
        if self._repository is None:
            return None not in self._latest.values()
        return not self._latest or any(self._latest.values())

    def loading(self) -> bool:
        """Whether some model has yet to be loaded for the first time."""
        loading = (entry.name for entry in self.index() if entry.state == State.LOADING)
        return not self.settled or not all(self._latest.get(name) for name in loading)

    def versions(self, name: str) -> list[str]:
        """The versions of a model that answer, oldest first. Raises `ModelNotFoundError`."""
        self.endpoint(name)
        return sorted(self._versions[name], key=age)

    def known(self, name: str) -> None:
        """Raises `ModelNotFoundError` if there is no model of that name, ready or not."""
        if name not in self._latest:
            raise ModelNotFoundError(f"Model with name {name} does not exist.")

    def get(self, name: str, version: str | None = None) -> Model:
        """The ready model of that name (and version).

        Raises `ModelNotFoundError` or `ModelNotReadyError`.
        """
        return self.endpoint(name, version).model

    def endpoint(self, name: str, version: str | None = None) -> Endpoint:
        """What answers for that name (and version).

        Raises `ModelNotFoundError` or `ModelNotReadyError`.
        """
        endpoint = self._latest.get(name)
        if endpoint is None:
            if name in self._latest:
                raise ModelNotReadyError(f"Model with name {name} is not ready.")
            raise ModelNotFoundError(f"Model with name {name} does not exist.")
        if version is None or version == endpoint.model.version:
            return endpoint
        found = self._versions[name].get(version)
        if found is None:
            raise ModelNotFoundError(f"Model {name} has no version {version}.")
        return found

    async def infer(
        self, name: str, version: str | None, request: InferenceRequest
    ) -> InferenceResponse:
        """Answer a request. Raises `RequestError`."""
        endpoint = self.endpoint(name, version)
        with self._counted(endpoint):
            return await endpoint.infer(request)

    async def stream(
        self, name: str, version: str | None, request: InferenceRequest
    ) -> AsyncIterator[InferenceResponse]:
        """Answer a request in parts; a model that cannot answers in one. Raises `RequestError`."""
        endpoint = self.endpoint(name, version)
        with self._counted(endpoint):
            async for response in endpoint.stream(request):
                yield response

    async def explain(
        self, name: str, version: str | None, request: InferenceRequest
    ) -> InferenceResponse:
        """Explain the model's answer to a request. Raises `RequestError`."""
        endpoint = self.endpoint(name, version)
        with self._counted(endpoint):
            return await endpoint.explain(request)

    def _counted(self, endpoint: Endpoint) -> _Counted:
        """Count a request in and out, and its failure; success is its protocol's to count."""
        metrics = self.metrics
        if metrics.in_flight >= self.settings.limits.in_flight:
            endpoint.metrics.failed(OverloadedError.status)
            raise OverloadedError(
                f"{metrics.in_flight} requests are in flight already; try again in a second."
            )
        return _Counted(metrics, endpoint)

    def index(self, ready_only: bool = False) -> list[IndexEntry]:
        """Every model and version this server has known, loaded or not."""
        missing = [
            IndexEntry(name, "", State.LOADING)
            for name, endpoint in self._latest.items()
            if endpoint is None and not self._states.of(name)
        ]
        entries = sorted([*missing, *self._states])
        return [entry for entry in entries if not ready_only or entry.state == State.READY]

    async def discover(self) -> list[str]:
        """Look what the repository has; the names of its models."""
        if self._repository is None:
            return []
        sources = await asyncio.to_thread(self._repository.find)
        for source in sources:
            if source.name not in self._latest and not self._states.of(source.name):
                self._states.put(source.name, source.version, State.UNAVAILABLE, "not loaded")
        return list(dict.fromkeys(source.name for source in sources))

    async def first(self, name: str, loading: Awaitable[Model]) -> None:
        """Publish the model that a server starts with; who loads or unloads it waits for that.

        Raises what `loading` raises.
        """
        async with self._locked(name):
            self.publish(await loading)

    def withhold(self, name: str) -> None:
        """Start without a model: it was unloaded before this process began."""
        self._latest.pop(name, None)
        self._versions.pop(name, None)
        for version in [entry.version for entry in self._states.of(name)] or ["1"]:
            self._states.put(name, version, State.UNAVAILABLE, "unloaded")

    async def load(self, name: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Load a model of the repository, or load it again; what ran before answers meanwhile.

        Raises `ModelNotFoundError`, or `LoadFailedError` saying why.
        """
        await self._whole(self.load_here, name, unloaded=False)

    async def load_here(self, name: str) -> None:
        """Do so in this process alone."""
        if self._repository is None:
            raise UnsupportedError("This server has no model repository.")
        async with self._locked(name):
            sources = await asyncio.to_thread(self._repository.find)
            wanted = [source for source in sources if source.name == name]
            if not wanted:
                raise ModelNotFoundError(f"The repository has no model {name}.")
            failed = [
                error
                for source in wanted
                if (error := await self._load(self._repository, source)) is not None
            ]
            if failed:
                raise failed[0]
            kept = {source.version for source in wanted}
            for version in set(self._versions[name]) - kept:
                self._leave(self._versions[name].pop(version))

    async def unload(self, name: str) -> None:
        """Take a model away, after its requests in flight. Raises `ModelNotFoundError`."""
        await self._whole(self.unload_here, name, unloaded=True)

    async def unload_here(self, name: str) -> None:
        """Do so in this process alone."""
        async with self._locked(name):
            self.endpoint(name)
            del self._latest[name]
            leaving = [self._leave(found) for found in self._versions.pop(name).values()]
            await asyncio.gather(*leaving)

    async def close(self, seconds: float) -> None:
        """Take all models down, for good; those that do not let themselves in time are left."""
        endpoints = [found for each in self._versions.values() for found in each.values()]
        closing = [asyncio.ensure_future(found.close(seconds)) for found in endpoints]
        waiting = {*closing, *self._tasks}
        if waiting:
            await asyncio.wait(waiting, timeout=seconds)
        for endpoint, closed in zip(endpoints, closing, strict=True):
            if not closed.done():
                _log.warning("model %s did not unload in %g s", endpoint.model.name, seconds)
            elif (error := closed.exception()) is not None:
                _log.error("model %s failed to unload", endpoint.model.name, exc_info=error)

    async def _load(self, repository: Repository, source: ModelSource) -> LoadFailedError | None:
        name, version = source.name, source.version
        self._states.put(name, version, State.LOADING)
        try:
            model = await asyncio.to_thread(repository.load, source)
        except Exception as error:
            reason = str(error) if isinstance(error, StartupError) else f"{error!r}"
            _log.error("model %s version %s cannot be loaded: %s", name, version, reason)
            running = version in self._versions.get(name, {})
            state = State.READY if running else State.UNAVAILABLE
            self._states.put(name, version, state, reason)
            return LoadFailedError(f"Model {name} version {version}: {reason}")
        self.publish(model)
        _log.info("model %s version %s is ready", name, version)
        return None

    async def _whole(
        self, here: Callable[[str], Awaitable[None]], name: str, *, unloaded: bool
    ) -> None:
        """Do it here and everywhere, though who asked for it may go away meanwhile."""
        fellows = self.fellows

        async def change() -> None:
            async with fellows.changing(name, unloaded=unloaded) if fellows else nullcontext():
                await here(name)

        await asyncio.shield(self._kept(asyncio.create_task(change())))

    def _locked(self, name: str) -> asyncio.Lock:
        """The lock of a name, which anybody may make up: kept as long as it is used only."""
        lock = self._locks.get(name)
        if lock is None:
            lock = self._locks[name] = asyncio.Lock()
        return lock

    def _leave(self, endpoint: Endpoint) -> asyncio.Task[None]:
        """Take a version down once nobody asks it any more."""
        return self._kept(asyncio.create_task(self._left(endpoint)))

    def _kept(self, task: asyncio.Task[None]) -> asyncio.Task[None]:
        """A task that `close` waits for."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _left(self, endpoint: Endpoint) -> None:
        name, version = endpoint.model.name, endpoint.model.version
        replaced = version in self._versions.get(name, {})
        if not replaced:
            self._states.put(name, version, State.UNLOADING)
        try:
            await endpoint.close(_UNLOAD_SECONDS)
        except Exception:
            _log.exception("model %s version %s failed to unload", name, version)
        if not replaced:
            self._states.put(name, version, State.UNAVAILABLE, "unloaded")


class _Counted:
    """One request, counted as long as it is entered; a generator's would cost 2 us a request."""

    __slots__ = ("_endpoint", "_metrics")

    def __init__(self, metrics: ServerMetrics, endpoint: Endpoint) -> None:
        self._metrics = metrics
        self._endpoint = endpoint

    def __enter__(self) -> None:
        self._metrics.in_flight += 1
        self._endpoint.enter()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        endpoint = self._endpoint
        if isinstance(error, RequestError):
            endpoint.metrics.failed(error.status)
        elif isinstance(error, asyncio.CancelledError):
            endpoint.metrics.failed(CLIENT_GONE)
        self._metrics.in_flight -= 1
        endpoint.leave()
