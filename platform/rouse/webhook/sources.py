"""What the webhooks know of the cluster at any time: the settings, the ClusterStorageContainers."""

from __future__ import annotations

import logging
from typing import Final

from rouse.api.base import Object
from rouse.api.inferenceservice.modes import KNATIVE
from rouse.compiler.config import CONFIG_MAP, CONFIG_NAMESPACE, KSERVE_CONFIG_MAP, Config
from rouse.compiler.config.in_force import InForce
from rouse.errors import ConfigError
from rouse.kube.client import EventType, KubeClient
from rouse.kube.informer import Informer, InformerOptions
from rouse.kube.objects import Key
from rouse.kube.resources import CLUSTER_STORAGE_CONTAINERS, CONFIG_MAPS

__all__ = ["Sources"]

logger = logging.getLogger(__name__)

_OWN: Final = Key(CONFIG_NAMESPACE, CONFIG_MAP)
_KSERVE: Final = Key("kserve", KSERVE_CONFIG_MAP)
"""KServe's own settings, on a cluster that had KServe before."""


class Sources:
    """Copies kept up to date by watches: a review reads them without asking the API."""

    def __init__(self, client: KubeClient) -> None:
        self._own = _config_map(client, _OWN)
        self._kserve = _config_map(client, _KSERVE)
        # The CRDs may come after the webhook that guards their objects.
        self._containers = Informer(
            client, CLUSTER_STORAGE_CONTAINERS, options=InformerOptions(optional=True)
        )
        self._in_force = InForce()
        for informer in (self._own, self._kserve):
            informer.add_handler(self._changed)

    async def start(self) -> None:
        """Begin to follow; see `unsynced`."""
        for informer in self._all():
            await informer.start()

    async def stop(self) -> None:
        """Stop following."""
        for informer in self._all():
            await informer.stop()

    async def synced(self) -> None:
        """Wait for the first lists; `UnavailableError` when they do not come."""
        for informer in self._all():
            await informer.synced()

    @property
    def unsynced(self) -> list[str]:
        """What was not listed yet."""
        return sorted({str(each.resource) for each in self._all() if not each.is_synced})

    @property
    def config(self) -> Config:
        """The settings in force; ConfigError where one is read that is not known."""
        return self._in_force.config

    @property
    def problem(self) -> str:
        """What of the settings cannot be used, and what counts instead; empty: all is well."""
        return self._in_force.problem

    @property
    def kserve_config(self) -> Object | None:
        """KServe's own settings, which those of Rouse are laid over."""
        return self._kserve.get(_KSERVE)

    @property
    def default_mode(self) -> str:
        """The mode of InferenceServices that name none."""
        try:
            return self.config.default_deployment_mode
        except ConfigError:
            # Whoever wrote bad settings was told; no service is refused for them.
            return KNATIVE

    @property
    def storage_containers(self) -> list[Object]:
        """The ClusterStorageContainers."""
        return self._containers.list()

    def _all(self) -> tuple[Informer, ...]:
        return (self._own, self._kserve, self._containers)

    def _changed(self, _event: EventType, _obj: Object) -> None:
        before = self.problem
        self._in_force.take(self._own.get(_OWN), self.kserve_config)
        if self.problem and self.problem != before:
            logger.error("settings that cannot be used: %s", self.problem)
        elif before and not self.problem:
            logger.info("the settings can be used again")


def _config_map(client: KubeClient, key: Key) -> Informer:
    options = InformerOptions(fields=f"metadata.name={key.name}")
    return Informer(client, CONFIG_MAPS, key.namespace, options)
