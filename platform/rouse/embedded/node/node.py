"""The kubelet of the embedded engine: pods bound to the node run as local processes."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from rouse.embedded.node.command import base_environment, with_proxy
from rouse.embedded.node.errors import PodSetupError
from rouse.embedded.node.images import ImageTable, predictor
from rouse.embedded.node.notify import NotifySocket
from rouse.embedded.node.orphans import end_orphans
from rouse.embedded.node.paths import NodePaths
from rouse.embedded.node.pod import PodRunner, commands_of
from rouse.embedded.node.pool import WarmPool
from rouse.embedded.node.records import PodRecords
from rouse.embedded.node.register import make_node, register_node
from rouse.embedded.node.restarts import RestartBackoff
from rouse.embedded.node.services import NodeServices
from rouse.embedded.node.state import PodState
from rouse.embedded.node.volumes import remove_scratch
from rouse.embedded.node.writer import BackgroundWriter
from rouse.errors import ApiError, UnavailableError
from rouse.kube import (
    EventRecorder,
    EventType,
    Informer,
    Key,
    KubeClient,
    key_of,
)
from rouse.kube.objects import uid_of
from rouse.kube.resources import PODS

__all__ = ["Node"]

logger = logging.getLogger(__name__)

_DEFAULT_GRACE_S: Final = 30.0
_REMEMBERED: Final = 4096
_RECORDS_S: Final = 2.0


class Node:
    """Runs the pods whose ``spec.nodeName`` is ``name``.

    ``proxy`` is the URL by which its containers reach cluster-local hosts, in their environment.

    All methods are called in the event loop that ``start`` ran in, on the main thread: the kernel
    ties the life of children to the thread that started them.
    """

    def __init__(
        self,
        client: KubeClient,
        paths: NodePaths,
        *,
        name: str = "rouse-local",
        images: ImageTable | None = None,
        warm: WarmPool | None = None,
        events: EventRecorder | None = None,
        backoff: Callable[[], RestartBackoff] = RestartBackoff,
        proxy: str = "",
    ) -> None:
        self.name = name
        self._client = client
        self._paths = paths
        self._events = events
        self._records = PodRecords(client)
        self._notify = NotifySocket(paths.notify_socket)
        self._warm = warm or WarmPool(paths)
        base = base_environment(os.environ)
        self._services = NodeServices(
            paths=paths,
            images=images or ImageTable(paths.images_file),
            warm=self._warm,
            notify=self._notify,
            get_source=self._records.source,
            record=self._record,
            backoff=backoff,
            base=with_proxy(base, proxy) if proxy else base,
        )
        self._pods: dict[Key, PodRunner] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._deleting: dict[Key, float] = {}
        self._stopping = False
        self._ended: OrderedDict[tuple[Key, str], None] = OrderedDict()
        self._subscribers: list[Callable[[PodState], None]] = []
        self._informer = Informer(client, PODS)
        self._writer = BackgroundWriter(self._write_status)
        self._background: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """End leftovers of a killed engine and follow the API's pods; does not wait for the API."""
        for folder in (self._paths.pods, self._paths.pod_logs, self._paths.warm_logs):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        ended = await asyncio.to_thread(end_orphans, self._paths.home)
        if ended:
            logger.warning("ended %d processes that a former engine left behind", ended)
        self._notify.start()
        self._writer.start()
        self._informer.add_handler(self._on_pod)
        await self._informer.start()
        self._background = [
            asyncio.create_task(self._register(), name="node registration"),
            asyncio.create_task(self._clean_up(), name="node clean-up"),
        ]

    async def stop(self, grace_s: float = _DEFAULT_GRACE_S) -> None:
        """End every pod, every warm parent and all background work; nothing is left running."""
        self._stopping = True
        await self._informer.stop()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        stops = [runner.stop(grace_s) for runner in self._pods.values()]
        await asyncio.gather(*stops)
        if self._ending:  # their processes have ended; the API may be away for their records
            await asyncio.wait(self._ending, timeout=_RECORDS_S)
        for task in self._ending:
            task.cancel()
        await self._warm.stop()
        await self._writer.stop()
        self._notify.stop()

    def launch(self, pod: dict[str, Any]) -> None:
        """Start a pod now, before its record is in the API; the record adopts it when it comes.

        Idempotent by namespace and name. Whoever launches must create the record or call stop_pod.
        """
        key = key_of(pod)
        uid = uid_of(pod)
        if self._stopping or key in self._pods or (uid and (key, uid) in self._ended):
            return
        if self._ended.pop((key, ""), True) is None and uid:
            self._ended[key, uid] = None  # the record of a launch that was stopped before it came
            return
        runner = PodRunner(pod, self._services, self._changed)
        self._pods[key] = runner
        runner.start()

    def status(self, namespace: str, name: str) -> PodState | None:
        """What is known about a pod; None when the node does not have it."""
        runner = self._pods.get(Key(namespace, name))
        return runner.state() if runner else None

    def subscribe(self, callback: Callable[[PodState], None]) -> None:
        """Call ``callback`` in the loop on every change of a pod. It must not block."""
        self._subscribers.append(callback)

    async def stop_pod(self, namespace: str, name: str, grace_s: float = _DEFAULT_GRACE_S) -> None:
        """End a pod's processes; afterwards the node does not have it. Its record is deleted when
        it is marked for deletion."""
        key = Key(namespace, name)
        if key in self._pods:
            await asyncio.shield(self._end(key, grace_s))

    def warm_up(self, pod_template: dict[str, Any]) -> None:
        """Make sure that the warm parents of a pod (or pod template) run. Returns at once."""
        pod = {"metadata": {}, **pod_template}
        try:
            commands = commands_of(pod, self._services.images)
        except PodSetupError:
            return  # the pod itself will say so
        for command in commands.values():
            if command.warm:
                self._warm.ensure(command.argv)

    def warm_up_framework(self, name: str) -> None:
        """Make sure that the warm parent of a built-in predictor runs, e.g. ``sklearn``."""
        self._warm.ensure(self._services.images.resolved(predictor(name)).argv)

    def _on_pod(self, type_: EventType, pod: dict[str, Any]) -> None:
        if pod.get("spec", {}).get("nodeName") != self.name:
            return
        key, uid = key_of(pod), uid_of(pod)
        runner = self._pods.get(key)
        if runner is not None and uid_of(runner.pod) not in ("", uid):
            self._on_namesake(type_, pod)
        elif type_ is EventType.DELETED:
            self._ended.pop((key, uid), None)
            if runner is not None:
                self._end(key, 0)
        elif "deletionTimestamp" in pod["metadata"]:
            self._delete(key, pod)
        elif runner is not None:
            runner.adopt(pod)
            self._writer.mark(key)
        elif (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed"):
            self.launch(pod)

    def _on_namesake(self, type_: EventType, pod: dict[str, Any]) -> None:
        """Another pod of a name that still has processes: end those first."""
        if type_ is not EventType.DELETED:
            ended = self._end(key_of(pod), 0)
            ended.add_done_callback(lambda _: self._look_again(key_of(pod)))

    def _look_again(self, key: Key) -> None:
        pod = self._informer.get(key)
        if pod is not None and key not in self._pods and not self._stopping:
            self._on_pod(EventType.ADDED, pod)

    def _delete(self, key: Key, pod: dict[str, Any]) -> None:
        """A deletion through the API: stop gracefully, then let the API forget the record."""
        runner = self._pods.setdefault(key, PodRunner(pod, self._services, self._changed))
        runner.adopt(pod)
        grace = _grace_of(pod)
        if grace < self._deleting.get(key, math.inf):
            self._deleting[key] = grace
            self._end(key, grace).add_done_callback(lambda _: self._deleting.pop(key, None))

    def _end(self, key: Key, grace_s: float) -> asyncio.Task[None]:
        """Stop and forget a pod, in a task that the node owns."""
        task = asyncio.create_task(self._finish(key, self._pods[key], grace_s), name=f"end {key}")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        return task

    async def _finish(self, key: Key, runner: PodRunner, grace_s: float) -> None:
        await runner.stop(grace_s)
        if self._pods.get(key) is not runner:
            return  # another call for the same end was quicker
        del self._pods[key]
        # its record may still come, or stay for a while: that must not start it again
        self._ended[key, uid_of(runner.pod)] = None
        while len(self._ended) > _REMEMBERED:
            self._ended.popitem(last=False)
        await runner.remove()
        if "deletionTimestamp" in runner.pod["metadata"]:
            await self._records.forget(key, uid_of(runner.pod))

    def _changed(self, runner: PodRunner) -> None:
        state = runner.state()
        self._writer.mark(runner.key)
        for subscriber in self._subscribers:
            try:
                subscriber(state)
            except Exception:
                logger.exception("a subscriber failed on the state of pod %s", runner.key)

    async def _write_status(self, key: Key) -> None:
        runner = self._pods.get(key)
        if runner is not None:
            await self._records.write_status(runner)

    def _record(self, pod: dict[str, Any], type_: str, reason: str, message: str) -> None:
        if self._events is not None:
            self._events.emit(pod, type_, reason, message)

    async def _clean_up(self) -> None:
        """Remove what is left of pods that were deleted while no engine ran."""
        while True:
            try:
                await self._informer.synced()
                break
            except UnavailableError:
                continue
        folders = [*self._paths.pods.iterdir(), *self._paths.pod_logs.iterdir()]
        known = {*self._pods, *(key_of(pod) for pod in self._informer.list())}
        left = [each for each in folders if Key(*each.name.partition("_")[::2]) not in known]
        await remove_scratch(*left)

    async def _register(self) -> None:
        backoff = RestartBackoff(initial=0.1, maximum=5.0)
        while True:
            try:
                node = make_node(self.name, self._paths.home, ready=True, now=time.time())
                await register_node(self._client, node)
            except ApiError as error:
                logger.info("node %s is not registered yet: %s", self.name, error)
                await asyncio.sleep(backoff.next(0))
            else:
                return


def _grace_of(pod: dict[str, Any]) -> float:
    for value in (
        pod["metadata"].get("deletionGracePeriodSeconds"),
        pod["spec"].get("terminationGracePeriodSeconds"),
    ):
        if value is not None:
            return float(value)
    return _DEFAULT_GRACE_S
