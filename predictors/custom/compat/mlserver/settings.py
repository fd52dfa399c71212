"""``ModelSettings``: what model-settings.json says."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator

from .types import MetadataTensor

__all__ = ["ModelParameters", "ModelSettings"]


class ModelParameters(BaseModel):
    """Where the model is, its version, and settings of its own in `extra`."""

    model_config = ConfigDict(extra="allow")

    uri: str | None = None
    version: str | None = None
    format: str | None = None
    content_type: str | None = None
    extra: dict[str, Any] | None = Field(default_factory=dict)


class ModelSettings(BaseModel):
    """The settings of one model; what concerns MLServer's own workers is left out."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=(), populate_by_name=True)

    _source: str | None = PrivateAttr(None)

    name: str = ""
    implementation_: str = Field("", alias="implementation")
    platform: str = ""
    versions: list[str] = Field(default_factory=list)
    inputs: list[MetadataTensor] = Field(default_factory=list)
    outputs: list[MetadataTensor] = Field(default_factory=list)
    max_batch_size: int = 0
    max_batch_time: float = 0.0
    parameters: ModelParameters | None = None
    cache_enabled: bool = False

    @field_validator("implementation_", mode="before")
    @classmethod
    def _path(cls, value: Any) -> Any:
        """A class as its path."""
        return f"{value.__module__}.{value.__qualname__}" if inspect.isclass(value) else value

    @classmethod
    def parse_file(cls, path: str) -> ModelSettings:  # type: ignore[override]
        """The settings of a file."""
        settings = cls.model_validate(json.loads(Path(path).read_bytes()))
        settings._source = path
        return settings

    @property
    def version(self) -> str | None:
        """The model's version."""
        return self.parameters.version if self.parameters is not None else None
