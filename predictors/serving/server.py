"""The life of a predictor process: listen, load, answer, drain."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import uvloop

from predictors.serving import tracing
from predictors.serving.application import Application
from predictors.serving.dataplane import DataPlane
from predictors.serving.errors import LoadFailedError, ModelLoadError, StartupError
from predictors.serving.frozen import uncollected
from predictors.serving.idle import Idle
from predictors.serving.listener import (
    ABORT_SECONDS,
    LAME_DUCK_SECONDS,
    Listener,
    listening_socket,
)
from predictors.serving.metrics import ServerMetrics
from predictors.serving.metrics.process import started_at
from predictors.serving.model import Model, Runtime
from predictors.serving.notify import Notifier
from predictors.serving.observation import Observers
from predictors.serving.observers import observers_of
from predictors.serving.repository.loading import FolderRepository, LoneModel
from predictors.serving.repository.source import Repository
from predictors.serving.router import Router
from predictors.serving.settings import Settings
from predictors.serving.twins import TwinChoice, TwinRuntime
from predictors.storage import fetched, redacted

if TYPE_CHECKING:
    from predictors.serving.fellows import Worker
    from predictors.serving.grpc.server import GrpcServer
    from predictors.serving.metrics.shared import WorkerText

__all__ = ["run", "serve"]

_log = logging.getLogger(__name__)

_SWEEP_SECONDS: Final = 1.0
_OBSERVERS_SECONDS: Final = 10.0
_UNLOAD_SECONDS: Final = 5.0


def serve(settings: Settings, runtime: Runtime) -> int:
    """Serve until SIGTERM or SIGINT; the process's exit code.

    0 after a complete drain, 1 when the model could not be served or requests were cut off.
    """
    notifier = Notifier(settings.notify_socket)
    try:
        sock = listening_socket(settings.http_port, settings.listen_fd)
        if settings.workers > 1:
            # Imported late: most predictors are one process.
            from predictors.serving.workers import supervise

            return supervise(settings, runtime, notifier, sock, run)
        return run(settings, runtime, notifier, sock)
    except StartupError as error:
        message = f"Cannot serve model {settings.model_name}: {error}"
        _log.error(message, exc_info=_log.isEnabledFor(logging.DEBUG))
        notifier.failed(message)
        return 1


def run(
    settings: Settings,
    runtime: Runtime,
    notifier: Notifier,
    sock: Any,
    shared: Callable[[ServerMetrics], WorkerText] | None = None,
    worker: Worker | None = None,
    *,
    late: bool = False,
) -> int:
    """Serve on a listening socket.

    Among workers `shared` makes the text of their metrics, `worker` is this one, and one that is
    `late` takes no connection from the others before its model is loaded.
    """
    # Never closed: that would wait for the loop's threads, and user code may hang in one of them.
    runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    return runner.run(_Server(settings, runtime, notifier, shared, worker).run(sock, late=late))


class _Server:
    def __init__(
        self,
        settings: Settings,
        runtime: Runtime,
        notifier: Notifier,
        shared: Callable[[ServerMetrics], WorkerText] | None,
        worker: Worker | None,
    ) -> None:
        self._settings = settings
        self._runtime = runtime
        self._notifier = notifier
        names = [] if settings.repository else [settings.model_name]
        self._metrics = ServerMetrics(names, on_answer=self._answered)
        self._plane = DataPlane(
            names,
            metrics=self._metrics,
            settings=settings.plane,
            repository=_repository(settings, runtime),
        )
        self._plane.settled = settings.repository is None
        self._worker = self._plane.fellows = worker
        self._following: asyncio.Task[None] | None = None
        self._plane.observers = observers_of(os.environ, access_log=settings.access_log)
        self._tracing: asyncio.Task[None] | None = None
        self._choice: TwinChoice | None = None
        self._text = shared(self._metrics) if shared is not None else None
        router = Router(self._plane, _server_metadata(runtime), self._text)
        self._application = Application(self._plane, router)
        self._grpc: GrpcServer | None = None

    async def run(self, sock: Any, *, late: bool) -> int:
        loop = asyncio.get_running_loop()
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
        inherited = None
        if self._settings.listen_fd and sock.getsockname()[1] == self._settings.grpc_port:
            # The pod's only port is gRPC's; HTTP is left to what asks on this machine.
            inherited, sock = sock, listening_socket(0, None)
        listener = Listener(self._application, sock)
        if not late:
            listener.start()
        sweeper = asyncio.create_task(self._sweep())
        try:
            if await self._loaded(stopped, inherited):
                if late:
                    listener.start()
                translation = asyncio.create_task(self._translate())
                await stopped.wait()
                translation.cancel()
                await asyncio.wait([translation])
            code = await self._drain(listener)
            await self._plane.close(_UNLOAD_SECONDS if code == 0 else ABORT_SECONDS)
            await self._seen()
            return code
        except BaseException:
            if self._grpc is not None:
                await self._grpc.stop(0.0)
            await listener.drain(ABORT_SECONDS)
            raise
        finally:
            sweeper.cancel()
            if self._following is not None:
                self._following.cancel()

    async def _sweep(self) -> None:
        """What is done once a second, as long as the server runs."""
        idle = Idle()
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            self._application.sweep()
            idle.sweep()
            if self._text is not None:
                self._text.leave()

    async def _loaded(self, stopped: asyncio.Event, inherited: Any) -> bool:
        """Load what is served; False when told to stop before it was there.

        gRPC answers before that on its port, or that of the socket `inherited`.

        Raises `StartupError`.
        """
        loading: asyncio.Future[Any] = asyncio.ensure_future(
            self._repository() if self._settings.repository else self._single()
        )
        if self._settings.grpc_port:
            loading = asyncio.gather(loading, self._start_grpc(inherited))
        stopping = asyncio.create_task(stopped.wait())
        waiting: set[asyncio.Future[Any]] = {loading, stopping}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if not loading.done():
            loading.cancel()
            return False
        stopping.cancel()
        loading.result()
        # A standby's start begins when it is told what to serve.
        begun = float(os.environ.get("ROUSE_BEGUN_AT") or started_at())
        self._metrics.started(max(0.0, time.time() - begun))
        self._notifier.ready()
        if not self._settings.notify_socket:  # a node that listens tells it itself
            self._application.tell_start(self._notifier.phases, self._metrics.start_seconds)
        if tracing.wanted(os.environ):
            self._tracing = asyncio.create_task(self._trace(time.time_ns()))
        return True

    def _answered(self) -> None:
        # Its caller gets the answer first.
        asyncio.get_running_loop().call_soon(self._notifier.answered)

    async def _trace(self, ready_ns: int) -> None:
        """Trace from now on; the import takes 0.2 s, in which requests are answered already."""
        name = self._settings.model_name
        tracer = await asyncio.to_thread(tracing.start, os.environ, name)
        if tracer is None:
            return
        tracer.started(self._metrics.phase_seconds, ready_ns)
        if self._plane.observers is None:
            self._plane.observers = Observers()
        self._plane.observers.add(tracer)

    async def _seen(self) -> None:
        """Let observers bring what they saw to its place."""
        if self._tracing is not None:
            await self._tracing
        if self._plane.observers is not None:
            await asyncio.to_thread(self._plane.observers.close, _OBSERVERS_SECONDS)

    async def _start_grpc(self, inherited: Any) -> None:
        # In a thread: grpcio takes 0.1 s to import, in which HTTP answers and the model loads.
        try:
            grpc = await asyncio.to_thread(import_module, "predictors.serving.grpc.server")
        except ImportError as error:
            raise StartupError(f"--grpc_port: {error}. Install rouse[grpc].") from error
        settings = self._settings
        self._grpc = await grpc.start_grpc(
            self._plane,
            settings.grpc_port,
            limits=settings.limits,
            server=_server_metadata(self._runtime),
            inherited=inherited,
            shared=settings.workers > 1,
        )

    async def _single(self) -> None:
        name, worker = self._settings.model_name, self._worker
        told, unloaded = (worker.told, worker.unloaded) if worker is not None else (0, ())
        if name in unloaded:
            self._plane.withhold(name)
        else:
            await self._plane.first(name, _in_daemon(self._load))
            self._metrics.phase_seconds.update(self._notifier.phases)
            _log.info("model %s is ready", name)
        if worker is not None:
            self._following = asyncio.create_task(worker.follow(self._plane, told))

    async def _repository(self) -> None:
        """Load all that the repository has; a model that fails is in its index with the reason."""
        worker = self._worker
        told, unloaded = (worker.told, worker.unloaded) if worker is not None else (0, ())
        with self._notifier.phase("load"):
            for name in await self._plane.discover():
                if name in unloaded:
                    self._plane.withhold(name)
                    continue
                try:
                    await self._plane.load_here(name)
                except LoadFailedError:
                    continue  # logged, and told by the index
        self._plane.settled = True
        self._metrics.phase_seconds.update(self._notifier.phases)
        if worker is not None:
            self._following = asyncio.create_task(worker.follow(self._plane, told))

    def _load(self) -> Model:
        settings, notifier = self._settings, self._notifier
        try:
            with ExitStack() as stack:
                with notifier.phase("fetch"):
                    folder = stack.enter_context(fetched(settings.source, env=os.environ))
                # A twin is looked for first: with one the framework is not imported.
                choice = self._twin(folder)
                if choice is not None and choice.twin is not None:
                    with notifier.phase("load"):
                        choice.twin.load()
                    return choice.twin
                with notifier.phase("import"), uncollected():
                    self._runtime.prepare()
                with notifier.phase("load"):
                    model = self._runtime.model(settings.model_name, folder)
                    model.load()
                if choice is not None:
                    choice.note(model)
        except StartupError:
            raise
        except Exception as error:
            where = redacted(settings.source)
            raise ModelLoadError(f"{where}: {type(error).__name__}: {error}") from error
        return model

    def _twin(self, folder: Path) -> TwinChoice | None:
        """What is known of the model's twin; None where the framework's models have none."""
        if isinstance(self._runtime, TwinRuntime):
            self._choice = self._runtime.choose_twin(self._settings.model_name, folder)
        return self._choice

    async def _translate(self) -> None:
        """Make the twin that was missed, for the next start."""
        if self._choice is not None:
            await self._choice.translate()

    async def _drain(self, listener: Listener) -> int:
        """Stop without a failed request.

        For a moment answers say that their connection closes while new ones are still taken, so
        that a proxy leaves on its own; only then does the listening end.
        """
        _log.info("stopping: %d requests in flight", self._metrics.in_flight)
        self._application.drain()
        if self._grpc is not None:
            self._grpc.drain()
        await asyncio.sleep(LAME_DUCK_SECONDS)
        seconds = self._settings.drain_seconds
        stopping = [self._grpc.stop(seconds)] if self._grpc is not None else []
        drained, *_ = await asyncio.gather(listener.drain(seconds), *stopping)
        if drained:
            return 0
        _log.error("%d requests were cut off after the drain deadline", self._metrics.in_flight)
        self._application.cut_off()
        await listener.drain(ABORT_SECONDS)
        return 1


async def _in_daemon(work: Callable[[], Model]) -> Model:
    """Run `work` in a daemon: a process told to stop does not wait for a model that still loads."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Model] = loop.create_future()

    def settle(model: Model | None, error: Exception | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        elif model is not None:
            done.set_result(model)

    def target() -> None:
        model, failure = None, None
        try:
            model = work()
        except Exception as error:
            failure = error
        loop.call_soon_threadsafe(settle, model, failure)

    threading.Thread(target=target, name="load", daemon=True).start()
    return await done


def _repository(settings: Settings, runtime: Runtime) -> Repository:
    if not settings.repository:
        return LoneModel(settings.model_name, settings.source, runtime, _fetched)
    folder = Path(settings.repository.removeprefix("file://"))
    return FolderRepository(folder, runtime, _fetched, all_versions=settings.all_versions)


def _fetched(location: str) -> AbstractContextManager[Path]:
    return fetched(location, env=os.environ)


def _server_metadata(runtime: Runtime) -> dict[str, Any]:
    return {
        "name": f"rouse-{runtime.name}server",
        "version": os.environ.get("ROUSE_VERSION", "0.1.0"),
        "extensions": [],
    }
