"""What every object has: metadata, and conditions in its status."""

from __future__ import annotations

from typing import Literal, Protocol

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from rouse.api.base import Model, Strings

__all__ = ["Condition", "Named", "ObjectMeta"]


class ObjectMeta(Model):
    """The metadata that is read; the rest is the API server's and passes through."""

    model_config = ConfigDict(
        strict=True, extra="allow", alias_generator=to_camel, populate_by_name=False
    )

    name: str = ""
    namespace: str | None = None
    generate_name: str | None = None
    labels: Strings | None = None
    annotations: Strings | None = None
    generation: int | None = None
    uid: str | None = None


class Condition(Model):
    """One observation about an object, in Knative's form."""

    type: str
    """What is observed, such as Ready."""
    status: Literal["True", "False", "Unknown"]
    """True, False or Unknown."""
    reason: str | None = None
    """A constant in CamelCase that says why, for programs."""
    message: str | None = None
    """Why, and what to do, for people."""
    last_transition_time: str | None = None
    """When the status last changed (RFC 3339, UTC)."""
    severity: str | None = None
    """Empty where the condition decides readiness; Info where it only informs."""


class _HasMetadata(Protocol):
    @property
    def metadata(self) -> ObjectMeta: ...


class Named:
    """What is asked of an object's metadata again and again; a mixin, without fields of its own."""

    @property
    def name(self: _HasMetadata) -> str:
        """The name in metadata."""
        return self.metadata.name

    @property
    def namespace(self: _HasMetadata) -> str:
        """The namespace in metadata; default when not given."""
        return self.metadata.namespace or "default"

    @property
    def annotations(self: _HasMetadata) -> Strings:
        """The annotations in metadata, never None."""
        return self.metadata.annotations or {}

    @property
    def labels(self: _HasMetadata) -> Strings:
        """The labels in metadata, never None."""
        return self.metadata.labels or {}
