"""What all InferenceServices share, parsed once per change: runtimes and configuration."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from rouse.api.base import Object
from rouse.compiler.config import CONFIG_MAP, CONFIG_NAMESPACE, KSERVE_CONFIG_MAP, Config
from rouse.compiler.runtimes import RuntimeSet
from rouse.controllers.inferenceservice.sources import KSERVE_NAMESPACE, Sources
from rouse.errors import ConfigError
from rouse.kube.client import EventType
from rouse.kube.events import EventRecorder
from rouse.kube.objects import Key

__all__ = ["INVALID_CONFIG", "Settings"]

logger = logging.getLogger(__name__)

INVALID_CONFIG: Final = "InvalidConfig"


class Settings:
    """The current runtimes and configuration.

    What ConfigMap rouse-config leaves open is as in KServe's inferenceservice-config, if that is
    there. A configuration that cannot be read is reported on its ConfigMap, and the last good one
    stays.
    """

    def __init__(self, sources: Sources, recorder: EventRecorder) -> None:
        self._sources = sources
        self._recorder = recorder
        self._runtimes: RuntimeSet | None = None
        self.config = Config()
        for informer in (sources.runtimes, sources.cluster_runtimes):
            informer.add_handler(self._runtimes_changed)
        for informer in (sources.config, sources.kserve_config):
            informer.add_handler(self._config_changed)

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
        try:
            base = Config.from_kserve(kserve.get("data") or {}) if kserve else None
            self.config = Config.from_config_map(live, base=base)
        except ConfigError as error:
            logger.error("%s; the last good one stays", error)
            self._recorder.emit(obj, "Warning", INVALID_CONFIG, str(error))
