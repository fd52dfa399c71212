"""The newest activation of each revision, complete with its first answer before it is written.

One record of a wake-up is written, not two: it waits for the answer, which comes right after, and
for no longer than that takes. No write is in a request's way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from rouse.coldstart import Activation
from rouse.embedded.knative.ports import PodState
from rouse.kube.objects import Key

__all__ = ["Ledger"]

PATIENCE_S: Final = 1.0
"""An answer that takes longer than this is not waited for."""


@dataclass(slots=True)
class _Pending:
    revision: Key
    activation: Activation
    timer: asyncio.TimerHandle


class Ledger:
    """Activations by the key of their revision; ``settled(key)`` is called when one is complete."""

    def __init__(self, settled: Callable[[Key], None], *, patience_s: float = PATIENCE_S) -> None:
        self._settled = settled
        self._patience_s = patience_s
        self._newest: dict[Key, Activation] = {}
        self._pending: dict[Key, _Pending] = {}
        """By pod."""

    def newest(self, revision: Key) -> Activation | None:
        """The newest activation that is complete."""
        return self._newest.get(revision)

    def awaits_answer(self, revision: Key) -> bool:
        """Whether a record is about to be complete."""
        return any(one.revision == revision for one in self._pending.values())

    def record(self, revision: Key, activation: Activation) -> None:
        """Take note of an activation whose request is on its way to the replica."""
        pod = Key(revision.namespace, activation.pod)
        self._settle(pod)
        timer = asyncio.get_running_loop().call_later(self._patience_s, self._settle, pod)
        self._pending[pod] = _Pending(revision, activation, timer)

    def observe(self, state: PodState) -> None:
        """Take note of what the node says of a pod: the first answer, if it was waited for."""
        pod = Key(state.namespace, state.name)
        pending, answer = self._pending.get(pod), state.timings.get("answer")
        if pending is not None and answer is not None:
            pending.activation = pending.activation.answered(answer)
            self._settle(pod)

    def forget(self, revision: Key) -> None:
        """Drop what is known of a revision that is gone."""
        self._newest.pop(revision, None)
        for pod in [pod for pod, one in self._pending.items() if one.revision == revision]:
            self._pending.pop(pod).timer.cancel()

    def close(self) -> None:
        """Wait for nothing any more."""
        for one in self._pending.values():
            one.timer.cancel()
        self._pending.clear()

    def _settle(self, pod: Key) -> None:
        pending = self._pending.pop(pod, None)
        if pending is not None:
            pending.timer.cancel()
            self._newest[pending.revision] = pending.activation
            self._settled(pending.revision)
