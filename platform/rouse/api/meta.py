"""What every object has: metadata, and conditions in its status."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from rouse.api.base import Model, Strings

__all__ = ["Condition", "ObjectMeta"]


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
