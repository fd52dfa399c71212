"""Names of container images."""

from __future__ import annotations

__all__ = ["with_tag"]


def with_tag(image: str, tag: str) -> str:
    """Return the image with another tag; a port in its registry's address is no tag."""
    repository = image.partition("@")[0]
    head, slash, last = repository.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}:{tag}"
