"""One pod: prepared, init containers run in order, containers side by side, then removed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final, Literal

from rouse.embedded.node.attempt import PodParts
from rouse.embedded.node.container import ContainerRunner
from rouse.embedded.node.errors import PodSetupError, Reason
from rouse.embedded.node.images import ImageTable, LocalCommand
from rouse.embedded.node.podports import PodPorts
from rouse.embedded.node.ports import serving_container
from rouse.embedded.node.services import NodeServices
from rouse.embedded.node.sources import Kind, Sources, fetch, references
from rouse.embedded.node.state import ContainerState, PodState, Terminated
from rouse.embedded.node.volumes import by_uri, prepare_volumes, remove_scratch
from rouse.errors import ApiError, EngineError
from rouse.kube.objects import Key, key_of, uid_of

__all__ = ["PodRunner", "commands_of"]

logger = logging.getLogger(__name__)

Phase = Literal["Pending", "Running", "Succeeded", "Failed"]
_EARLY_EVENTS: Final = 16
_MODEL_SERVER: Final = "kserve-container"
_UNTOLD: Final = ("", Reason.CREATING, Reason.INITIALIZING)


def commands_of(pod: dict[str, Any], images: ImageTable) -> dict[str, LocalCommand]:
    """The local command of every container. Raises PodSetupError for the first without one."""
    annotations = pod["metadata"].get("annotations") or {}
    serving = _annotated_container(pod)
    commands = {}
    for container in _all_containers(pod):
        name, image = container["name"], container.get("image", "")
        command = images.command_for(image, annotations, name, serving=name == serving)
        if container.get("command") and not command.overrides:
            # it replaces the image's, as in Kubernetes, and is then an ordinary command
            command = replace(command, warm=False, listen=False, module="")
        commands[name] = command
    return commands


def _annotated_container(pod: dict[str, Any]) -> str | None:
    """The container whose command the annotations of a runtime give: the model server."""
    names = {container["name"] for container in pod["spec"]["containers"]}
    return _MODEL_SERVER if _MODEL_SERVER in names else serving_container(pod)


class PodRunner:
    """Runs a pod. ``on_change`` is called, in the loop, after every change of its state."""

    def __init__(
        self, pod: dict[str, Any], services: NodeServices, on_change: Callable[[PodRunner], None]
    ) -> None:
        self.pod = pod
        self._services = services
        self._on_change = on_change
        self._launched = time.monotonic()
        self._started_at = time.time()
        self._waiting = (Reason.CREATING, "")
        self._init: dict[str, ContainerRunner] = {}
        self._containers: dict[str, ContainerRunner] = {}
        self._ports: PodPorts | None = None
        self._initialized = False
        self._task: asyncio.Task[None] | None = None
        self._early_events: list[tuple[str, str, str]] = []
        self.terminating = False
        self.stopped = False

    @property
    def key(self) -> Key:
        """Namespace and name."""
        return key_of(self.pod)

    def start(self) -> None:
        """Begin; returns at once."""
        self._task = asyncio.create_task(self._run(), name=f"pod {self.key}")

    def adopt(self, pod: dict[str, Any]) -> None:
        """The pod's record has come into the API, or changed there."""
        self.pod = pod
        held, self._early_events = self._early_events, []
        for event in held:
            self._event(*event)

    async def stop(self, grace_s: float) -> None:
        """End all processes (SIGTERM, grace in seconds, SIGKILL). A second call may be shorter."""
        if not self.terminating:
            self.terminating = True
            self._on_change(self)
        runners = [*self._init.values(), *self._containers.values()]
        stops = [runner.stop(grace_s) for runner in runners]
        for problem in await asyncio.gather(*stops, return_exceptions=True):
            if isinstance(problem, EngineError):
                logger.error("pod %s: %s", self.key, problem)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._ports is not None:
            self._ports.close()
        if not self.stopped:
            self.stopped = True
            self._on_change(self)

    async def remove(self) -> None:
        """Delete its scratch and its logs; only after it has stopped."""
        paths = self._services.paths
        await remove_scratch(paths.pod(*self.key), paths.pod_log(*self.key))

    def state(self) -> PodState:
        """What is known now."""
        serving = self._containers.get(serving_container(self.pod) or "")
        containers = self._states(self.pod["spec"].get("containers") or [], self._containers)
        reason, message = self._problem(containers)
        return PodState(
            namespace=self.key.namespace,
            name=self.key.name,
            uid=uid_of(self.pod),
            phase=self._phase(containers),
            ready=not self.terminating and bool(containers) and all(c.ready for c in containers),
            port=self._serving_port(),
            ports=MappingProxyType(dict(self._ports.actual) if self._ports else {}),
            timings=MappingProxyType(dict(serving.timings)) if serving else MappingProxyType({}),
            restarts=sum(c.restarts for c in containers),
            crashes=sum(c.crashes for c in containers),
            reason=reason,
            message=message,
            log_tail=by_uri(serving.log_tail, self.pod, self._services.paths) if serving else (),
            initialized=self._initialized,
            started_at=self._started_at,
            terminating=self.terminating,
            containers=containers,
            init_containers=self._states(self.pod["spec"].get("initContainers") or [], self._init),
        )

    async def _run(self) -> None:
        parts = await self._prepared()
        if await self._initialize(parts):
            await self._run_containers(parts)

    async def _prepared(self) -> PodParts:
        """Everything the containers share; tried again until it is there."""
        backoff = self._services.backoff()
        while True:
            try:
                return await self._prepare()
            except PodSetupError as error:
                if self._waiting[0] != error.reason:
                    self._event("Warning", error.reason, error.message)
                self._waiting = (error.reason, error.message)
            except OSError as error:
                self._waiting = (Reason.CREATING, str(error))
            except Exception as error:
                logger.exception("pod %s: the node failed", self.key)
                self._waiting = (Reason.NODE_ERROR, f"the node cannot run this pod: {error!r}")
            self._on_change(self)
            await asyncio.sleep(backoff.next(0))
            self._launched = time.monotonic()

    async def _prepare(self) -> PodParts:
        commands = commands_of(self.pod, self._services.images)
        sources = await self._sources()
        volumes = prepare_volumes(self.pod, self._services.paths, sources)
        listening = frozenset(name for name, command in commands.items() if command.listen)
        self._ports = PodPorts(self.pod, listening, self._services.ports)
        self._waiting = (Reason.CREATING, "")
        return PodParts(
            self.pod, self._services, self._sources, volumes, commands, self._ports, self._event
        )

    async def _sources(self) -> Sources:
        async def get(kind: Kind, name: str) -> dict[str, Any] | None:
            return await self._services.get_source(self.key.namespace, kind, name)

        try:
            return await fetch(references(self.pod), get)
        except ApiError as error:
            raise PodSetupError(Reason.CONFIG_ERROR, str(error)) from error

    async def _initialize(self, parts: PodParts) -> bool:
        for container in self.pod["spec"].get("initContainers") or []:
            runner = self._runner(parts, container, init=True)
            self._init[container["name"]] = runner
            self._waiting = (Reason.INITIALIZING, "")
            if not await runner.run():
                return False
        self._initialized = True
        return True

    async def _run_containers(self, parts: PodParts) -> None:
        for container in self.pod["spec"]["containers"]:
            self._containers[container["name"]] = self._runner(parts, container, init=False)
        async with asyncio.TaskGroup() as group:
            for runner in self._containers.values():
                group.create_task(runner.run())

    def _event(self, type_: str, reason: str, message: str) -> None:
        """Emit an Event, once the pod's record is there for it to point at."""
        if uid_of(self.pod):
            self._services.record(self.pod, type_, reason, message)
        elif len(self._early_events) < _EARLY_EVENTS:
            self._early_events.append((type_, reason, message))

    def _runner(self, parts: PodParts, container: dict[str, Any], *, init: bool) -> ContainerRunner:
        return ContainerRunner(
            parts,
            container,
            lambda: self._on_change(self),
            launched=time.monotonic() if self._init and not init else self._launched,
            init=init,
            restarts=_earlier_starts(self.pod, container["name"], init=init),
        )

    def _states(
        self, containers: list[dict[str, Any]], runners: dict[str, ContainerRunner]
    ) -> tuple[ContainerState, ...]:
        reason, message = self._waiting
        return tuple(
            self._by_uri(runners[c["name"]].state)
            if c["name"] in runners
            else ContainerState(c["name"], c.get("image", ""), reason=reason, message=message)
            for c in containers
        )

    def _by_uri(self, container: ContainerState) -> ContainerState:
        """How it ended, in the words of its user."""

        def told(ended: Terminated | None) -> Terminated | None:
            if ended is None or not ended.message:
                return ended
            [message] = by_uri([ended.message], self.pod, self._services.paths)
            return replace(ended, message=message)

        return replace(container, ended=told(container.ended), last=told(container.last))

    def _phase(self, containers: tuple[ContainerState, ...]) -> Phase:
        init = [runner.state for runner in self._init.values()]
        if any(c.ended and c.ended.exit_code for c in init if c.state == "terminated"):
            return "Failed"
        if containers and all(c.state == "terminated" for c in containers):
            failed = any(c.ended and c.ended.exit_code for c in containers)
            return "Failed" if failed else "Succeeded"
        begun = any(c.state != "waiting" or c.last for c in containers)
        return "Running" if begun else "Pending"

    def _problem(self, containers: tuple[ContainerState, ...]) -> tuple[str, str]:
        if self.terminating:
            return "Terminating", ""
        everyone = [*(runner.state for runner in self._init.values()), *containers]
        for container in everyone:
            if container.state == "waiting" and container.reason not in _UNTOLD:
                return container.reason, container.message
        return "", ""

    def _serving_port(self) -> int | None:
        name = serving_container(self.pod)
        for container in self.pod["spec"].get("containers") or []:
            if container["name"] == name and container.get("ports") and self._ports:
                return self._ports.actual.get(int(container["ports"][0]["containerPort"]))
        return None


def _all_containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    spec = pod["spec"]
    return [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]


def _earlier_starts(pod: dict[str, Any], name: str, *, init: bool) -> int:
    """Restarts counted by an earlier engine, so that log files of attempts are not mixed up."""
    field = "initContainerStatuses" if init else "containerStatuses"
    for status in (pod.get("status") or {}).get(field) or []:
        if status.get("name") == name and status.get("containerID"):
            return int(status.get("restartCount", 0)) + 1
    return 0
