"""One container of a pod: attempted, and attempted again when it ends."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from rouse.embedded.node.attempt import Attempt, PodParts
from rouse.embedded.node.errors import PodSetupError, Reason
from rouse.embedded.node.state import ContainerState, Terminated

__all__ = ["ContainerRunner"]

logger = logging.getLogger(__name__)

_KEPT_LOGS: Final = 2
"""``kubectl logs`` and ``kubectl logs --previous``."""


class ContainerRunner:
    """Runs one container until stopped; ``on_change`` is called after every change of ``state``."""

    def __init__(
        self,
        parts: PodParts,
        container: dict[str, Any],
        on_change: Callable[[], None],
        *,
        launched: float,
        init: bool = False,
        restarts: int = 0,
    ) -> None:
        self._parts = parts
        self._container = container
        self._on_change = on_change
        self._init = init
        self._began = launched
        self._backoff = parts.services.backoff()
        self._attempt: Attempt | None = None
        self._stopping = False
        self._reported_reason = ""
        self.state = ContainerState(
            container["name"], container.get("image", ""), restarts=restarts
        )

    @property
    def timings(self) -> Mapping[str, float]:
        """Seconds of each phase of the latest attempt."""
        return self._attempt.timings if self._attempt else MappingProxyType({})

    @property
    def log_tail(self) -> tuple[str, ...]:
        """The last lines of the latest attempt."""
        return self._attempt.log.tail if self._attempt else ()

    async def run(self) -> bool:
        """Run by the pod's restartPolicy; True when it ended well and is not to run again."""
        while True:
            begun = time.monotonic()
            try:
                code = await self._once()
            except PodSetupError as error:
                self._cannot_start(error)
            else:
                if self._stopping or not self._runs_again(code):
                    return code == 0
                self._crashed()
            await asyncio.sleep(self._backoff.next(time.monotonic() - begun))
            self._began = time.monotonic()
            if self.state.last is not None and self.state.reason == Reason.CRASH_LOOP:
                self._restart()

    async def stop(self, grace_s: float) -> None:
        """End its process, if it has one; the owner then cancels ``run``."""
        self._stopping = True
        if self._attempt is not None:
            await self._attempt.stop(grace_s)

    async def _once(self) -> int:
        attempt = Attempt(
            self._parts,
            self._container,
            number=self.state.restarts,
            began=self._began,
            init=self._init,
            on_change=self._progress,
        )
        self._attempt = attempt
        try:
            code = await attempt.run()
        except PodSetupError:
            raise
        except OSError as error:
            # a full disk, no more descriptors, a folder taken away: as temporary as the rest
            raise PodSetupError(Reason.START_ERROR, str(error)) from error
        except Exception as error:
            logger.exception("container %s: the node failed", self.state.name)
            raise PodSetupError(
                Reason.NODE_ERROR, f"the node cannot run this: {error!r}"
            ) from error
        self._ended(attempt, code)
        return code

    def _progress(self) -> None:
        attempt = self._attempt
        if attempt is None or attempt.process is None:
            return
        if self.state.state != "running":
            self._parts.event("Normal", "Started", f"Started container {self.state.name}")
            self._reported_reason = ""
            self._set(state="running", reason="", message="", started_at=time.time(), ended=None)
        started, ready = attempt.started, attempt.ready and not self._stopping
        self._set(started=started, ready=ready, pid=attempt.process.pid)
        if ready:
            self._set(crashes=0)
        self._on_change()

    def _ended(self, attempt: Attempt, code: int) -> None:
        ended = Terminated(
            exit_code=code if code >= 0 else 128 - code,
            signal=max(0, -code),
            reason="Completed" if code == 0 else "Error",
            message=attempt.message,
            started_at=self.state.started_at,
            finished_at=time.time(),
        )
        self._set(state="terminated", ready=False, started=False, ended=ended, pid=0)
        self._on_change()

    def _runs_again(self, code: int) -> bool:
        policy = self._parts.pod["spec"].get("restartPolicy", "Always")
        if self._init and code == 0:
            return False
        return policy == "Always" or (policy == "OnFailure" and code != 0)

    def _crashed(self) -> None:
        ended = self.state.ended
        name = self.state.name
        how = f"with exit code {ended.exit_code}" if ended else ""
        self._parts.event("Warning", "BackOff", f"Container {name} ended {how}; it is restarted")
        self._set(
            state="waiting",
            reason=Reason.CRASH_LOOP,
            message=f"container {name} ended {how}: {ended.message if ended else ''}".rstrip(": "),
            last=ended,
            ended=None,
            crashes=self.state.crashes + 1,
        )
        self._on_change()

    def _restart(self) -> None:
        """Count it, and forget the log of the attempt before the last."""
        name = self.state.name
        self._set(restarts=self.state.restarts + 1)
        paths, metadata = self._parts.services.paths, self._parts.pod["metadata"]
        oldest = paths.container_log(
            metadata["namespace"], metadata["name"], name, self.state.restarts - _KEPT_LOGS
        )
        for file in (oldest, oldest.with_name(oldest.name + ".1")):
            file.unlink(missing_ok=True)

    def _cannot_start(self, error: PodSetupError) -> None:
        if error.reason != self._reported_reason:
            self._reported_reason = error.reason
            self._parts.event("Warning", error.reason, error.message)
        self._set(state="waiting", reason=error.reason, message=error.message, ready=False)
        self._on_change()

    def _set(self, **changes: Any) -> None:
        self.state = replace(self.state, **changes)
