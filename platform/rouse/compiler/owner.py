"""What objects are made for: an InferenceService or an InferenceGraph, as far as they are alike."""

from __future__ import annotations

from typing import Protocol

from rouse.api.base import Strings
from rouse.api.meta import ObjectMeta

__all__ = ["Owner"]


class Owner(Protocol):
    """The user's object that what is compiled belongs to; `InferenceService` for one."""

    @property
    def api_version(self) -> str:
        """``group/version`` of its kind."""

    @property
    def kind(self) -> str:
        """InferenceService or InferenceGraph."""

    @property
    def metadata(self) -> ObjectMeta:
        """Its metadata as they were read."""

    @property
    def name(self) -> str:
        """The name in metadata."""

    @property
    def namespace(self) -> str:
        """The namespace in metadata; default when not given."""

    @property
    def annotations(self) -> Strings:
        """The annotations in metadata, never None."""

    @property
    def labels(self) -> Strings:
        """The labels in metadata, never None."""
