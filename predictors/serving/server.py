"""The life of a predictor process: listen, load, answer, drain."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from contextlib import ExitStack
from typing import Any, Final

import uvloop

from predictors.serving.application import Application
from predictors.serving.dataplane import DataPlane
from predictors.serving.errors import ModelLoadError, StartupError
from predictors.serving.listener import Listener, listening_socket
from predictors.serving.metrics import ServerMetrics
from predictors.serving.model import Model, Runtime
from predictors.serving.notify import Notifier
from predictors.serving.router import Router
from predictors.serving.settings import Settings
from predictors.serving.storage import fetched, redacted

__all__ = ["serve"]

_log = logging.getLogger(__name__)

_LAME_DUCK_SECONDS: Final = 0.2
_ABORT_SECONDS: Final = 1.0


def serve(settings: Settings, runtime: Runtime) -> int:
    """Serve until SIGTERM or SIGINT; the process's exit code.

    0 after a complete drain, 1 when the model could not be served or requests were cut off.
    """
    notifier = Notifier(settings.notify_socket)
    try:
        sock = listening_socket(settings.http_port, settings.listen_fd)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_Server(settings, runtime, notifier).run(sock))
    except StartupError as error:
        message = f"Cannot serve model {settings.model_name}: {error}"
        _log.error(message, exc_info=_log.isEnabledFor(logging.DEBUG))
        notifier.failed(message)
        return 1


class _Server:
    def __init__(self, settings: Settings, runtime: Runtime, notifier: Notifier) -> None:
        self._settings = settings
        self._runtime = runtime
        self._notifier = notifier
        self._plane = DataPlane([settings.model_name])
        self._metrics = ServerMetrics([settings.model_name])
        router = Router(self._plane, self._metrics, _server_metadata(runtime))
        self._application = Application(self._plane, router, self._metrics, settings.limits)

    async def run(self, sock: Any) -> int:
        loop = asyncio.get_running_loop()
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
        listener = Listener(self._application, sock)
        listener.start()
        sweeper = asyncio.create_task(self._application.sweep())
        try:
            if await self._loaded(stopped):
                await stopped.wait()
            return await self._drain(listener)
        except BaseException:
            await listener.drain(_ABORT_SECONDS)
            raise
        finally:
            sweeper.cancel()

    async def _loaded(self, stopped: asyncio.Event) -> bool:
        """Load the model; False when told to stop before it was there. Raises `StartupError`."""
        loop = asyncio.get_running_loop()
        loading: asyncio.Future[Model] = loop.create_future()

        def settle(model: Model | None, error: Exception | None) -> None:
            if loading.cancelled():
                return
            if error is not None:
                loading.set_exception(error)
            elif model is not None:
                loading.set_result(model)

        def work() -> None:
            model, failure = None, None
            try:
                model = self._load()
            except Exception as error:
                failure = error
            loop.call_soon_threadsafe(settle, model, failure)

        # A daemon: a process told to stop does not wait for a model that still loads.
        threading.Thread(target=work, name="load", daemon=True).start()
        stopping = asyncio.create_task(stopped.wait())
        waiting: set[asyncio.Future[Any]] = {loading, stopping}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if not loading.done():
            loading.cancel()
            return False
        stopping.cancel()
        model = loading.result()
        self._metrics.phase_seconds.update(self._notifier.phases)
        self._plane.publish(model)
        self._notifier.ready()
        _log.info("model %s is ready", model.name)
        return True

    def _load(self) -> Model:
        settings, notifier = self._settings, self._notifier
        try:
            with notifier.phase("import"):
                self._runtime.prepare()
            with ExitStack() as stack:
                with notifier.phase("fetch"):
                    folder = stack.enter_context(fetched(settings.source))
                with notifier.phase("load"):
                    model = self._runtime.model(settings.model_name, folder)
                    model.load()
        except StartupError:
            raise
        except Exception as error:
            where = redacted(settings.source)
            raise ModelLoadError(f"{where}: {type(error).__name__}: {error}") from error
        return model

    async def _drain(self, listener: Listener) -> int:
        """Stop without a failed request.

        For a moment answers say that their connection closes while new ones are still taken, so
        that a proxy leaves on its own; only then does the listening end.
        """
        _log.info("stopping: %d requests in flight", self._metrics.in_flight)
        self._application.drain()
        await asyncio.sleep(_LAME_DUCK_SECONDS)
        if await listener.drain(self._settings.drain_seconds):
            return 0
        _log.error("%d requests were cut off after the drain deadline", self._metrics.in_flight)
        return 1


def _server_metadata(runtime: Runtime) -> dict[str, Any]:
    return {
        "name": f"rouse-{runtime.name}server",
        "version": os.environ.get("ROUSE_VERSION", "0.1.0"),
        "extensions": [],
    }
