"""What an installation decides for all its InferenceServices.

Here belong the settings, their defaults and the ConfigMaps they are read from. What a setting
leads to does not: that is for the module that makes the object.
"""

from rouse.compiler.config.access import ApiKeys, Auth, FromHeader, JwtIssuer
from rouse.compiler.config.kept import ModelCache, PrePull
from rouse.compiler.config.resources import Resources
from rouse.compiler.config.router import Router
from rouse.compiler.config.standby import Standby
from rouse.compiler.config.types import (
    CONFIG_MAP,
    CONFIG_NAMESPACE,
    KSERVE_CONFIG_MAP,
    Agent,
    Balloons,
    Config,
    Credentials,
    DeploymentRollout,
    NodePool,
    OtelCollector,
    StorageInitializer,
)

__all__ = [
    "CONFIG_MAP",
    "CONFIG_NAMESPACE",
    "KSERVE_CONFIG_MAP",
    "Agent",
    "ApiKeys",
    "Auth",
    "Balloons",
    "Config",
    "Credentials",
    "DeploymentRollout",
    "FromHeader",
    "JwtIssuer",
    "ModelCache",
    "NodePool",
    "OtelCollector",
    "PrePull",
    "Resources",
    "Router",
    "Standby",
    "StorageInitializer",
]
