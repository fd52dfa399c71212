"""What all InferenceServices share, parsed once per change: runtimes and configuration."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from rouse.api.base import Object
from rouse.compiler.config import CONFIG_MAP, CONFIG_NAMESPACE, KSERVE_CONFIG_MAP, Config
from rouse.compiler.config.in_force import InForce
from rouse.compiler.runtimes import RuntimeSet
from rouse.controllers.inferenceservice.sources import KSERVE_NAMESPACE, Sources
from rouse.kube.client import EventType
from rouse.kube.events import EventRecorder
from rouse.kube.objects import Key

__all__ = ["INVALID_CONFIG", "Settings"]

logger = logging.getLogger(__name__)

INVALID_CONFIG: Final = "InvalidConfig"


class Settings:
    """The current runtimes and configuration.

    What ConfigMap rouse-config leaves open is as in KServe's inferenceservice-config, if that is
    there. A configuration that cannot be used is reported on its ConfigMap, and the last good one
    stays; see `rouse.compiler.config.in_force` for what counts where none is known.
    """

    def __init__(self, sources: Sources, recorder: EventRecorder) -> None:
        self._sources = sources
        self._recorder = recorder
        self._runtimes: RuntimeSet | None = None
        self._in_force = InForce()
        for informer in (sources.runtimes, sources.cluster_runtimes):
            informer.add_handler(self._runtimes_changed)
        for informer in (sources.config, sources.kserve_config):
            informer.add_handler(self._config_changed)

    @property
    def config(self) -> Config:
        """The configuration in force; ConfigError where a setting is read that is not known."""
        return self._in_force.config

    @property
    def runtimes(self) -> RuntimeSet:
        """All runtimes there are."""
        if self._runtimes is None:
            listed = [*self._sources.runtimes.list(), *self._sources.cluster_runtimes.list()]
            self._runtimes = RuntimeSet.of(listed)
        return self._runtimes

    @property
    def storage_containers(self) -> list[Object]:
        """All ClusterStorageContainers there are."""
        return list(self._sources.storage_containers.list())

    def _runtimes_changed(self, _type: EventType, _obj: Mapping[str, Any]) -> None:
        self._runtimes = None

    def _config_changed(self, _type: EventType, obj: Mapping[str, Any]) -> None:
        live = self._sources.config.get(Key(CONFIG_NAMESPACE, CONFIG_MAP))
        kserve = self._sources.kserve_config.get(Key(KSERVE_NAMESPACE, KSERVE_CONFIG_MAP))
        self._in_force.take(live, kserve)
        if self._in_force.problem:
            logger.error("%s", self._in_force.problem)
            self._recorder.emit(obj, "Warning", INVALID_CONFIG, self._in_force.problem)
