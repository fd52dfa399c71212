"""A component in the mode Knative: its Knative Service and where its revisions stand."""

from __future__ import annotations

from dataclasses import dataclass

from rouse.api.base import Object
from rouse.compiler.component import ResolvedComponent
from rouse.compiler.rollout import Rollout

__all__ = ["Part"]


@dataclass(frozen=True, slots=True)
class Part:
    """A component, its wanted Knative Service, and its rollout."""

    resolved: ResolvedComponent
    service: Object
    rollout: Rollout
