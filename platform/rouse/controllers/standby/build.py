"""Puts the two controllers of standby pods together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

from rouse.compiler.config import Config
from rouse.controllers.standby.handover import LOAD_S, HandOver
from rouse.controllers.standby.pools import KEY, Pools
from rouse.controllers.standby.signing import Keys
from rouse.controllers.standby.sources import Sources
from rouse.kube.client import KubeClient
from rouse.kube.controller import Controller, Reconciled
from rouse.kube.events import EventRecorder
from rouse.kube.informer import Informer
from rouse.kube.objects import Key

__all__ = ["Parts", "make_standby"]

_CALM_S: Final = 1.0
"""Changes are gathered this long before pods are shared out anew."""
_SETTLE_S: Final = 5.0
"""How long a pod handed over is counted where it came from: its old ReplicaSet must have let go of
it before it is told to have fewer."""
_SPARE_S: Final = 30.0


class Parts(NamedTuple):
    """What a manager starts."""

    informers: tuple[Informer, ...]
    controllers: tuple[Controller, ...]


def make_standby(
    client: KubeClient,
    services: Informer,
    deployments: Informer,
    storage_containers: Informer,
    config_maps: Informer,
    config: Callable[[], Config],
    recorder: EventRecorder,
    *,
    observe: Callable[[Reconciled], None] | None = None,
    told: Callable[[str], None] | None = None,
    calm_s: float = _CALM_S,
    settle_s: float = _SETTLE_S,
) -> Parts:
    """Make informers and controllers; nothing is started. The informers given are others'.

    ``config`` is what was read of ``config_maps``; on that ConfigMap is told what is wrong with it.
    ``told`` is told of each hand-over whether it was ``taken`` or ``failed``.
    """
    sources = Sources.of(client, services, deployments, storage_containers, config)
    keys = Keys()

    def share_out() -> None:
        pools.enqueue(KEY, after_s=calm_s)

    def settled(key: Key) -> None:
        def forget() -> None:
            # A service may have slept and woken again meanwhile.
            sources.taken[key] -= 1
            if not sources.taken[key]:
                del sources.taken[key]
            share_out()

        asyncio.get_running_loop().call_later(settle_s, forget)

    def tell(reason: str, message: str) -> None:
        settings = config_maps.get(KEY)
        if settings is not None:
            recorder.emit(settings, "Warning", reason, message)

    sharing = Pools(client, sources, keys, config, tell)
    pools = Controller("standby", sharing, workers=1, observe=observe)
    hand_over = HandOver(client, sources, keys, recorder, settled, told)
    handing = Controller(
        "standby-handover", hand_over, workers=8, deadline=LOAD_S + _SPARE_S, observe=observe
    )
    sources.connect(share_out, handing.enqueue)
    # The settings' reader was told before: its handlers were added first.
    config_maps.add_handler(lambda _type, _obj: share_out())
    return Parts(sources.own(), (pools, handing))
