"""The rule for metadata.name of the kinds whose name is part of no host."""

from __future__ import annotations

from collections.abc import Iterator

from rouse.api.meta import ObjectMeta
from rouse.api.names import is_dns_subdomain
from rouse.errors import FieldError

__all__ = ["check_name"]


def check_name(metadata: ObjectMeta) -> Iterator[FieldError]:
    """Find a name that Kubernetes does not take; one still to be generated is fine."""
    if not is_dns_subdomain(metadata.name) and not metadata.generate_name:
        yield FieldError(
            "metadata.name",
            f'"{metadata.name}" cannot be a name; use lower case letters, digits, hyphens and dots',
        )
